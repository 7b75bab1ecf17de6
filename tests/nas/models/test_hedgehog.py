"""Linear attention equals its quadratic form, weighs like attention, has the published features."""

import math

import pytest
import torch
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from nas.models.mixers.hedgehog import LinearAttention, features
from search_spaces.operations import HeadGroup, group_flops


def quadratic(mixer, x, keep):
    """Every pair of real tokens of every head, its weight first."""
    rows = []
    n, d = mixer.heads, mixer.head_width
    for tokens, mask in zip(x, keep, strict=True):
        tokens = tokens[mask]
        query, key, value = mixer.query_key_value(tokens).split(n * d, -1)
        heads = []
        for h in range(n):
            part = slice(h * d, (h + 1) * d)
            q, k = query[:, part] @ mixer.query_map[h], key[:, part] @ mixer.key_map[h]
            phi = [torch.exp(z) / torch.exp(z).sum(1, keepdim=True) for z in (q, -q, k, -k)]
            scores = phi[0] @ phi[2].T + phi[1] @ phi[3].T
            heads.append(scores / scores.sum(1, keepdim=True) @ value[:, part])
        rows.append(torch.cat(heads, 1))
    return torch.cat(rows)


def test_linear_equals_quadratic_with_gradients():
    mixer = LinearAttention(6, 2, 4).double()
    with torch.no_grad():
        for p in mixer.parameters():
            p.normal_(std=0.5)
    x = torch.randn(3, 7, 6, dtype=torch.float64, requires_grad=True)
    keep = torch.arange(7) < torch.tensor([7, 1, 4])[:, None]
    fast, slow = mixer(x, keep)[keep], quadratic(mixer, x, keep)
    assert_close(fast, slow)
    inputs = [x, *mixer.parameters()]
    for a, b in zip(
        torch.autograd.grad(fast.square().sum(), inputs),
        torch.autograd.grad(slow.square().sum(), inputs),
        strict=True,
    ):
        assert_close(a, b)


def test_operations_are_as_declared():
    mixer, length = LinearAttention(6, 2, 4), 11
    with FlopCounterMode(display=False) as counter:
        mixer(torch.randn(1, length, 6), None)
    group = HeadGroup(6, 2, 4, "", relative=False)
    assert counter.get_total_flops() == group_flops("hedgehog", group, length)


def test_features_are_the_published_ones():
    found = features(torch.tensor([1.0, -1.0]))
    assert found.tolist() == pytest.approx([0.8808, 0.1192, 0.1192, 0.8808], abs=5e-6)


def test_what_a_query_agrees_with_weighs_more():
    grid = torch.linspace(-3, 3, 13)[:, None]
    keys = features(torch.cat([grid, -grid], 1))
    weights = keys @ features(torch.tensor([2.0, -2.0]))
    assert (weights.diff() > 0).all()


def test_at_the_start_weights_are_nearly_uniform_as_published():
    torch.manual_seed(0)
    query, key = torch.randn(2, 64, 2, 6, 8)
    soft = (query @ key.mT / math.sqrt(8)).softmax(-1)
    linear = features(query) @ features(key).mT
    linear = linear / linear.sum(-1, keepdim=True)
    entropy = [-(w * w.log()).sum(-1).mean().item() for w in (soft, linear)]
    assert entropy[0] < entropy[1] < math.log(6)
    assert entropy[1] == pytest.approx(1.76, abs=0.02)
