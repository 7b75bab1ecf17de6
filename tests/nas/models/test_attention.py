"""Attention heads equal loops over queries and keys, whichever way they are computed."""

import pytest
import torch
from torch.testing import assert_close

from nas.models.mixers import make_mixer
from nas.models.mixers.relative import masked_softmax, position_weights, relative_scores

WIDTH, HEADS, HEAD_WIDTH, LENGTH = 6, 2, 4, 7


def looped(mixer, x, keep, distances):
    """Query by query, key by key, only real tokens."""
    n, d = mixer.heads, mixer.head_width
    rows = []
    for tokens, mask in zip(x, keep, strict=True):
        real = int(mask.sum())
        query, key, value = mixer.query_key_value(tokens[:real]).view(real, 3, n, d).unbind(1)
        out = []
        for i in range(real):
            heads = []
            for h in range(n):
                left = query[i, h] if mixer.weighting is None else query[i, h] @ mixer.weighting[h]
                scores = [left @ key[j, h] for j in range(real)]
                if distances is not None:
                    shift = (len(distances) - 1) // 2
                    scores = [
                        s + query[i, h] @ distances[j - i + shift] for j, s in enumerate(scores)
                    ]
                weights = (torch.stack(scores) / d**0.5).softmax(0)
                heads.append(sum(weights[j] * value[j, h] for j in range(real)))
            out.append(torch.cat(heads))
        rows.append(torch.stack(out))
    return torch.cat(rows)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("parameter", ["sdp", "wma"])
def test_agrees_with_a_loop(parameter, relative):
    mixer = make_mixer("sa", parameter, WIDTH, HEADS, HEAD_WIDTH, relative=relative).double()
    distances = torch.randn(2 * LENGTH - 1, HEAD_WIDTH, dtype=torch.float64) if relative else None
    with torch.no_grad():
        for p in mixer.parameters():
            p.normal_(std=0.5)
    keep = torch.arange(LENGTH) < torch.tensor([7, 1, 4])[:, None]
    x = torch.randn(3, LENGTH, WIDTH, dtype=torch.float64, requires_grad=True)
    ours, expected = mixer(x, keep, distances)[keep], looped(mixer, x, keep, distances)
    assert_close(ours, expected)
    weights = torch.randn_like(ours)
    inputs = [x, *mixer.parameters()]
    for a, b in zip(
        torch.autograd.grad((ours * weights).sum(), inputs, retain_graph=True),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        assert_close(a, b)
    with torch.no_grad():  # the fused kernel
        assert_close(mixer(x, keep, distances)[keep], expected)
        assert_close(mixer(x[:1], None, distances)[0], expected[:LENGTH])


def test_weighted_heads_start_as_scaled_dot_products():
    weighted = make_mixer("sa", "wma", WIDTH, HEADS, HEAD_WIDTH)
    plain = make_mixer("sa", "sdp", WIDTH, HEADS, HEAD_WIDTH)
    plain.load_state_dict(weighted.state_dict(), strict=False)
    x = torch.randn(2, LENGTH, WIDTH)
    assert_close(weighted(x, None), plain(x, None))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_relative_scores_are_products_with_the_vector_of_the_distance(length):
    query, distances = torch.randn(2, 3, length, 4), torch.randn(2 * length - 1, 4)
    scores = relative_scores(query, distances)
    for i in range(length):
        for j in range(length):
            expected = query[:, :, i] @ distances[j - i + length - 1]
            assert_close(scores[:, :, i, j], expected)


def test_weights_go_to_real_tokens_alone():
    keep = torch.tensor([[True, True, False], [False, False, False]])
    weights = masked_softmax(torch.tensor([1.0, 2.0, 1e6]).expand(2, 1, 3, 3), keep)
    assert_close(weights[0, 0, 0, :2], torch.tensor([1.0, 2.0]).softmax(0))
    assert weights[0, 0, :, 2].abs().max() == 0
    assert_close(weights[0].sum(-1), torch.ones(1, 3))
    assert weights.isfinite().all()


def test_position_weights_scale_by_the_width_of_a_head():
    query, distances = torch.randn(1, 2, 3, 16), torch.randn(5, 16)
    expected = (relative_scores(query, distances) / 4).softmax(-1)
    assert_close(position_weights(query, distances, None), expected)
