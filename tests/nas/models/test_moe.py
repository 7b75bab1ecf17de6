"""A mixture of experts equals a loop over tokens; evenness equals that of transformers."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers.models.switch_transformers.modeling_switch_transformers import (
    load_balancing_loss_func,
)

from nas.models.auxiliary import take_auxiliary
from nas.models.experts import EVENNESS, evenness
from nas.models.feedforwards import moe
from nas.models.feedforwards.mlp import MultilayerPerceptron
from nas.models.feedforwards.moe import MixtureOfExperts


def random(block, std=0.5):
    with torch.no_grad():
        for p in block.parameters():
            p.normal_(std=std)
    return block.double().eval()


def twin(block, token):
    """One token: the likeliest expert's output, times how likely it is."""
    shares = torch.softmax(block.router.weight @ token + block.router.bias, 0)
    e = max(range(block.experts), key=lambda i: shares[i].item())
    x = token
    for maps in block.stack:
        x = F.gelu(maps.weight[e] @ x + maps.bias[e])
    return shares[e] * (block.output.weight[e] @ x + block.output.bias[e])


@pytest.mark.parametrize("inner", [(5,), (5, 3)], ids=str)
@pytest.mark.parametrize("experts", [1, 2, 4])
def test_it_is_a_loop_over_tokens_with_gradients(experts, inner, monkeypatch):
    block = random(MixtureOfExperts(4, inner, experts))
    x = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    slow = torch.stack([torch.stack([twin(block, token) for token in row]) for row in x])
    inputs = [x, *block.parameters()]
    wanted = torch.autograd.grad(slow.square().sum(), inputs)
    for exporting in (False, True):
        monkeypatch.setattr(moe, "exporting", lambda now=exporting: now)
        fast = block(x)
        assert_close(fast, slow, atol=1e-6, rtol=1e-6)  # the router's scores are in float32
        for a, b in zip(torch.autograd.grad(fast.square().sum(), inputs), wanted, strict=True):
            assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_equal_experts_are_one_feed_forward_times_the_share():
    block, usual = random(MixtureOfExperts(4, (6,), 3)), random(MultilayerPerceptron(4, (6,)))
    with torch.no_grad():
        block.router.weight.zero_()
        block.router.bias.zero_()
        for maps, linear in zip(
            (*block.stack, block.output), (*usual.stack, usual.output), strict=True
        ):
            maps.weight.copy_(linear.weight.expand_as(maps.weight))
            maps.bias.copy_(linear.bias.expand_as(maps.bias))
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    assert_close(block(x), usual(x) / 3, atol=1e-6, rtol=1e-6)


def test_an_expert_that_nobody_asks_has_no_gradient():
    block = random(MixtureOfExperts(4, (6,), 3))
    with torch.no_grad():
        block.router.bias.copy_(torch.tensor([0.0, 99.0, 0.0]))
    block(torch.randn(2, 3, 4, dtype=torch.float64)).sum().backward()
    asked = block.stack[0].weight.grad.abs().sum((1, 2)) > 0
    assert asked.tolist() == [False, True, False]


def test_evenness_is_one_where_even_and_the_number_of_experts_where_one_does_all():
    even = F.one_hot(torch.arange(8) % 4).float()
    assert evenness(even, even.argmax(1)).item() == 1.0
    one = F.one_hot(torch.zeros(8, dtype=torch.int64), 4).float()
    assert evenness(one, one.argmax(1)).item() == 4.0
    shares = torch.randn(40, 4).softmax(-1)
    theirs = load_balancing_loss_func(shares[None], shares.argmax(-1)[None])
    assert_close(evenness(shares, shares.argmax(-1)), theirs)


def test_evenness_is_wanted_in_training_alone_and_once():
    block, x = MixtureOfExperts(4, (6,)), torch.randn(2, 3, 4)
    block(x)
    wanted = take_auxiliary([block, block])
    assert EVENNESS * 0.9 < wanted.item() < EVENNESS * 4.1
    wanted.backward()
    assert block.router.weight.grad.abs().sum() > 0
    assert take_auxiliary([block]) is None
    block.eval()(x)
    assert take_auxiliary([block]) is None


def test_two_thirds_of_the_neurons_are_alike_at_the_start():
    block = MixtureOfExperts(8, (12,))
    first = block.stack[0].weight
    alike = (first == first[:1]).all(0).all(-1)
    assert alike.tolist() == [True] * 8 + [False] * 4
    columns = (block.output.weight == block.output.weight[:1]).all(0).all(0)
    assert columns.tolist() == [True] * 8 + [False] * 4
