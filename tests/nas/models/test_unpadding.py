"""Layers that run on the real tokens alone compute and learn what they do with padding."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from nas.models import unpadding
from nas.models.encoder import Encoder
from nas.models.hf import FlexiBertConfig, FlexiBertModel
from nas.models.mixers import MIXERS, Mixer, make_mixer
from nas.models.unpadding import RealTokens, real_tokens
from search_spaces import Architecture
from search_spaces.operations import OPERATIONS

VOCABULARY, LENGTH, WIDTH = 31, 40, 8
SIZES = torch.tensor([3, 40, 1, 17, 39, 3, 30, 12])
KEEP = torch.arange(LENGTH) < SIZES[:, None]
TOKENS = torch.randint(5, VOCABULARY, KEEP.shape, generator=torch.Generator().manual_seed(1)) * KEEP


def architecture(operation="sa", parameter="sdp", model=None, **parts):
    return Architecture.from_dict(
        {
            "l": 2,
            "o": [operation] * 2,
            "h": [WIDTH, WIDTH + 4],
            "n": [2] * 2,
            "f": [[12]] * 2,
            "p": [parameter] * 2,
            "parts": [parts] * 2,
            "model": model or {},
        }
    )


def build(described, dropout=0.2, **more):
    torch.manual_seed(0)
    encoder = Encoder(described, VOCABULARY, max_length=LENGTH, dropout=dropout, **more)
    with torch.no_grad():
        for p in encoder.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    return encoder.double()


def learned(encoder, states):
    """States and gradients, with the same random numbers in every call."""
    encoder.zero_grad()
    torch.manual_seed(1)
    out = states(encoder)
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    return [out, *(p.grad.clone() for p in encoder.parameters() if p.grad is not None)]


def require_equal(encoder):
    assert encoder.unpads
    assert real_tokens(KEEP) is not None
    unpadded = learned(encoder, lambda e: e(TOKENS, KEEP)[KEEP])
    padded = learned(encoder, lambda e: e.states(TOKENS, KEEP)[-1][KEEP])
    assert_close(unpadded, padded, atol=1e-10, rtol=1e-8)


def kinds():
    for name in sorted(MIXERS):
        operation, _, parameter = name.partition("_")
        bare = OPERATIONS[operation].bare
        yield pytest.param(operation, parameter or (5 if bare else ""), id=name)


@pytest.mark.parametrize(("operation", "parameter"), list(kinds()))
@pytest.mark.parametrize("positions", ["absolute", "relative"])
def test_every_mixer_that_allows_it_computes_and_learns_the_same(operation, parameter, positions):
    if not make_mixer(operation, parameter, 8, 2, 4).unpads:
        assert operation in ("moe-attention",), "a mixer of ours that says nothing"
        return
    require_equal(build(architecture(operation, parameter), positions=positions))


@pytest.mark.parametrize(
    "described",
    [
        architecture("attention", "gate=gelu,queries=2,window=3"),
        architecture(feedforward="moe", residual="pre", model={"norm": "rms"}),
        *(architecture(model={"positions": p}) for p in ("rope", "alibi", "disentangled")),
        *(
            architecture(block=f"bottleneck(inner=6,reads={r})")
            for r in ("split", "inner", "whole")
        ),
        architecture("attention", "gate=gelu,queries=2", block="bottleneck(inner=6)"),
        architecture(block="bottleneck(inner=6)", model={"positions": "disentangled"}),
        architecture(residual="mixed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_other_kinds_compute_and_learn_the_same(described, checkpointing):
    encoder = build(described, checkpointing=checkpointing)
    encoder.train(mode="moe" not in str(described))  # its router draws numbers of its own
    require_equal(encoder)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_one_vector_a_sequence_is_the_same(pooling):
    encoder = build(architecture(), pooling=pooling)
    unpadded = learned(encoder, lambda e: e.pooled(TOKENS, KEEP))
    padded = learned(encoder, lambda e: e.pool(e.states(TOKENS, KEEP)[-1], KEEP))
    encoder.eval()  # of the first tokens alone, less is drawn
    assert_close(encoder.pooled(TOKENS, KEEP), encoder.pool(encoder.states(TOKENS, KEEP)[-1], KEEP))
    if pooling == "mean":
        assert_close(unpadded, padded, atol=1e-10, rtol=1e-8)


def test_every_real_token_is_taken_once_and_put_back():
    real = RealTokens(KEEP)
    x = torch.randn(*KEEP.shape, 3)
    taken = real.taken(x)
    assert len(taken) == KEEP.sum() == sum(b - a for a, b in (run.tokens for run in real.runs))
    assert torch.equal(real.put_back(taken), x * KEEP[..., None])
    at = torch.tensor([41, 3 * LENGTH + 16, 0])
    assert torch.equal(taken[real.numbers(at)], x.flatten(0, 1)[at])
    for run in real.runs:
        assert torch.equal(run.unpadded(run.padded(taken)), taken[slice(*run.tokens)])
    padded = sum(run.rows * run.length for run in real.runs)
    assert padded < 1.15 * len(taken) < 0.6 * KEEP.numel()


def test_padding_stays_where_taking_it_out_does_not_pay_or_is_not_allowed(monkeypatch):
    full = torch.ones(2, 10, dtype=torch.bool)
    little = torch.arange(10) < torch.tensor([10, 9])[:, None]
    empty = torch.arange(10) < torch.tensor([3, 0])[:, None]
    assert all(real_tokens(keep) is None for keep in (None, full, little, empty))
    assert real_tokens(KEEP.to("meta")) is None
    assert not build(architecture(feedforward="meo")).unpads  # reads sequences
    assert not build(architecture("moe-attention", "")).unpads
    monkeypatch.setattr(torch.jit, "is_tracing", lambda: True)
    assert real_tokens(KEEP) is None


def test_a_mixer_that_does_not_say_so_keeps_its_padding():
    class Foreign(Mixer):
        def forward(self, x, keep, distances=None):
            assert x.shape[:2] == KEEP.shape
            return x

    encoder = build(architecture())
    for layer in encoder.layers:
        layer.mixers = nn.ModuleDict({"foreign": Foreign(layer.mixed.in_features, 1, 1)})
    assert not encoder.unpads
    assert encoder(TOKENS, KEEP).isfinite().all()


def test_layers_see_the_real_tokens_alone(monkeypatch):
    encoder, seen = build(architecture()), []
    encoder.layers[0].feedforward.register_forward_hook(lambda _, x, __: seen.append(x[0].shape))
    encoder(TOKENS, KEEP)
    monkeypatch.setattr(unpadding, "LEAST", 0.9)
    encoder(TOKENS, KEEP)
    assert seen == [(int(KEEP.sum()), WIDTH), (*KEEP.shape, WIDTH)]


def test_models_of_transformers_lose_their_padding_in_training_alone():
    described = architecture()
    config = FlexiBertConfig.from_architecture(described, VOCABULARY, max_length=LENGTH)
    model, seen = FlexiBertModel(config), []
    feedforward = model.encoder.layers[0].feedforward
    feedforward.register_forward_hook(lambda _, x, __: seen.append(x[0].dim() == 2))
    given = {"input_ids": TOKENS, "attention_mask": KEEP.long()}
    model.eval()(**given)
    model.train()(**given)
    model(**given, output_attentions=True)
    model(**given, output_hidden_states=True)
    assert seen == [False, True, False, False]
