"""Attention with experts equals a loop over tokens, and with one expert is plain attention."""

import pytest
import torch
from torch.testing import assert_close

from nas.models.auxiliary import take_auxiliary
from nas.models.experts import EVENNESS
from nas.models.mixers import make_mixer
from nas.models.mixers.moe_attention import ExpertAttention


def random(mixer):
    with torch.no_grad():
        for p in mixer.parameters():
            p.normal_(std=0.5)
    return mixer.double().eval()


def twin(mixer, x):
    """One sequence: the maps of each token's likeliest expert, then every pair of tokens."""
    routed, n, d = mixer.query_key_value, mixer.heads, mixer.head_width
    shares = [torch.softmax(routed.router.weight @ t + routed.router.bias, 0) for t in x]
    chosen = [max(range(len(s)), key=lambda e, s=s: s[e].item()) for s in shares]
    read = [
        (routed.maps.weight[e] @ t + routed.maps.bias[e]).split(n * d)
        for e, t in zip(chosen, x, strict=True)
    ]
    rows = []
    for i, (share, e) in enumerate(zip(shares, chosen, strict=True)):
        heads = []
        for h in range(n):
            part = slice(h * d, (h + 1) * d)
            scores = torch.stack([read[i][0][part] @ key[part] for _, key, _ in read])
            weights = (scores / d**0.5).softmax(0)
            heads.append(sum(w * v[part] for w, (_, _, v) in zip(weights, read, strict=True)))
        rows.append(torch.cat(heads) * share[e])
    return torch.stack(rows)


@pytest.mark.parametrize("experts", [2, 3])
def test_it_is_a_loop_over_tokens_with_gradients(experts):
    mixer = random(ExpertAttention(4, 2, 3, experts=experts))
    x = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    keep = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    fast = mixer(x, keep)[keep]
    slow = torch.cat([twin(mixer, row[mask]) for row, mask in zip(x, keep, strict=True)])
    assert_close(fast, slow)
    inputs = [x, *mixer.parameters()]
    for a, b in zip(
        torch.autograd.grad(fast.square().sum(), inputs),
        torch.autograd.grad(slow.square().sum(), inputs),
        strict=True,
    ):
        assert_close(a, b)


def test_one_expert_is_plain_attention():
    mixer, plain = random(ExpertAttention(4, 2, 3, experts=1)), make_mixer("sa", "sdp", 4, 2, 3)
    with torch.no_grad():
        plain.double().query_key_value.weight.copy_(mixer.query_key_value.maps.weight[0])
        plain.query_key_value.bias.copy_(mixer.query_key_value.maps.bias[0])
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    assert_close(mixer(x, None), plain(x, None))


def test_evenness_is_wanted_in_training_and_padding_has_no_part_in_it():
    mixer = ExpertAttention(4, 2, 3).train()
    keep = torch.tensor([[True, True, False]])
    x = torch.randn(1, 3, 4)
    mixer(x, keep)
    wanted = take_auxiliary([mixer])
    assert EVENNESS * 0.9 < wanted.item() < EVENNESS * 2.1
    mixer(x.masked_fill(~keep[..., None], 99.0), keep)
    assert_close(take_auxiliary([mixer]), wanted)
    mixer.eval()(x, keep)
    assert take_auxiliary([mixer]) is None
