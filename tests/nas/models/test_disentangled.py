"""Disentangled attention is that of transformers' DeBERTa; its buckets are the published ones."""

import pytest
import torch
from torch.testing import assert_close
from transformers import DebertaV2Config
from transformers.models.deberta_v2.modeling_deberta_v2 import (
    DisentangledSelfAttention,
    make_log_bucket_position,
)

from nas.models.encoder import Encoder
from nas.models.mixers import make_mixer
from nas.models.positions.disentangled import Buckets, DisentangledPositions, bucket
from search_spaces import Architecture, count_parameters
from search_spaces.architectures.layers import Head, Layer
from search_spaces.kinds import SLOTS
from search_spaces.operations import OPERATIONS
from search_spaces.parts import Part

PUBLISHED = {127: 127, 128: 128, 130: 130, 200: 169, 255: 192, 300: 207, 400: 233, 511: 255}


def test_buckets_are_the_published_ones():
    assert {d: bucket(d, 256, 512) for d in PUBLISHED} == PUBLISHED
    assert [bucket(d, 8, 16) for d in range(16)] == [0, 1, 2, 3, 4, 5, 5, 6, 6, 6] + [7] * 6
    assert all(bucket(-d, 8, 16) == -bucket(d, 8, 16) for d in range(16))


@pytest.mark.parametrize(("buckets", "reach"), [(8, 16), (32, 128), (256, 512)])
def test_pairs_have_the_rows_of_transformers(buckets, reach):
    length = reach
    distance = torch.arange(length)[:, None] - torch.arange(length)
    theirs = make_log_bucket_position(distance, buckets, reach) + buckets
    used, index = Buckets(buckets, reach)(length, "cpu")
    assert_close(index + used.start, theirs.clamp(0, 2 * buckets - 1).long())
    part = Part.parse(f"disentangled(buckets={buckets},reach={reach})")
    rows = SLOTS["positions"].kinds["disentangled"].rows(part, length)
    assert rows == used.stop - used.start == len(theirs.unique())


def deberta(width, heads, buckets, reach):
    return DisentangledSelfAttention(
        DebertaV2Config(
            hidden_size=width,
            num_attention_heads=heads,
            relative_attention=True,
            position_buckets=buckets,
            max_relative_positions=reach,
            max_position_embeddings=reach,
            pos_att_type=["c2p", "p2c"],
            share_att_key=True,
            attention_probs_dropout_prob=0.0,
            hidden_dropout_prob=0.0,
        )
    ).eval()


@pytest.mark.parametrize("mixer", [("sa", "sdp"), ("attention", "")])
@pytest.mark.parametrize("length", [3, 13])
def test_attention_is_that_of_deberta_with_gradients(mixer, length):
    ours, theirs = make_mixer(*mixer, 12, 3, 4), deberta(12, 3, 4, 16)
    ours.read_positions(DisentangledPositions(16, 4, 16))
    maps = [theirs.query_proj, theirs.key_proj, theirs.value_proj]
    for name in ("weight", "bias"):
        query, key, value = (getattr(m, name).data for m in maps)
        if mixer[0] == "sa":
            getattr(ours.query_key_value, name).data = torch.cat([query, key, value])
        else:
            getattr(ours.query, name).data = query
            getattr(ours.key_value, name).data = torch.cat([key, value])
    x, rows = torch.randn(2, length, 12), torch.randn(8, 12, requires_grad=True)
    keep = torch.arange(length) < torch.tensor([length, 2])[:, None]
    mask = keep[:, None, None] * keep[:, None, :, None]
    out, expected = ours(x, keep, None, rows), theirs(x, mask, rel_embeddings=rows)[0]
    assert_close(out[keep], expected[keep], atol=1e-5, rtol=1e-5)
    fast, same = (torch.autograd.grad(y[keep].square().sum(), rows)[0] for y in (out, expected))
    assert_close(fast, same, atol=1e-4, rtol=1e-4)


def encoder(*layers):
    return Encoder(
        Architecture(layers, parts={"positions": "disentangled(buckets=4,reach=9)"}),
        20,
        max_length=9,
    ).eval()


def test_the_table_runs_through_the_projections():
    wide, narrow = (Layer(w, (Head("sa", "sdp", 4),) * 2, (12,)) for w in (8, 12))
    built, tokens = encoder(wide, narrow), torch.randint(1, 20, (2, 7))
    rows = built.distances()
    x = built.layers[0](built.embeddings(tokens, None), None, None, rows)
    x = built.layers[1](x, None, None, built.layers[0].projection(rows))
    assert_close(built(tokens), x)


def test_there_is_no_table_where_nobody_reads_it():
    layer = Layer(8, (Head("c", 3, 4),) * 2, (12,))
    built = encoder(layer)
    assert built.distances is None
    counted = count_parameters(built.architecture, vocabulary_size=20, max_length=9)
    assert sum(p.numel() for p in built.parameters()) == counted
    assert OPERATIONS["sa"].attends
    assert not OPERATIONS["c"].attends
