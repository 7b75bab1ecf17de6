"""Every registered feed-forward block keeps its contract; the stack equals its formula."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from nas.models.feedforwards import FEEDFORWARDS, MultilayerPerceptron, feed
from search_spaces.errors import UnknownName
from search_spaces.kinds import SLOTS, LayerShape
from search_spaces.parts import Part

WIDTH = 6
every_block = pytest.mark.parametrize("name", sorted(FEEDFORWARDS))
inner_widths = pytest.mark.parametrize("inner", [(8,), (8, 5, 7)], ids=str)


def build(name, inner, dtype=torch.float32):
    block = FEEDFORWARDS[name](WIDTH, inner)
    with torch.no_grad():
        for p in block.parameters():
            p.normal_(std=0.5)
    return block.to(dtype).eval()


@every_block
@inner_widths
def test_shape_and_gradients_reach_every_parameter(name, inner):
    block, x = build(name, inner).train(), torch.randn(2, 3, WIDTH)
    out = block(x)
    assert out.shape == x.shape
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


@every_block
@inner_widths
def test_tokens_are_independent_or_sequences_are(name, inner):
    block, x = build(name, inner), torch.randn(2, 3, WIDTH)
    if block.reads == "sequence":
        assert_close(block(x)[1:], block(x[1:]))
    else:
        assert_close(block(x)[:, 1:2], block(x[:, 1:2]))
        assert_close(block(x.flatten(0, 1)), block(x).flatten(0, 1))


@every_block
@inner_widths
@pytest.mark.parametrize("train", [True, False])
def test_padding_does_not_matter(name, inner, train):
    block, x = build(name, inner, torch.float64), torch.randn(2, 4, WIDTH, dtype=torch.float64)
    keep = torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    found = []
    for padding in (0.0, 1e3):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            filled = x.masked_fill(~keep[..., None], padding)
            found.append(feed(block.train(train), filled, keep)[keep])
            if getattr(block, "auxiliary", None) is not None:
                found[-1] = torch.cat([found[-1].flatten(), block.auxiliary[None]])
    assert_close(*found, atol=1e-9, rtol=0)
    alone = feed(block.eval(), x[1:, :2], None)
    assert_close(feed(block, x, keep)[1:, :2], alone)


@every_block
@inner_widths
def test_gradients_are_right(name, inner):
    block = build(name, inner, torch.float64)
    x = torch.randn(1, 2, WIDTH, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, (x,), fast_mode=True)


@every_block
@inner_widths
def test_parameters_and_operations_are_as_declared(name, inner):
    block, kind = build(name, inner), SLOTS["feedforward"].kinds[name]
    shape = LayerShape(WIDTH, WIDTH, 2, inner, 0, last=False)
    assert sum(p.numel() for p in block.parameters()) == kind.parameters(shape, Part(name))
    with FlopCounterMode(display=False) as counter:
        feed(block, torch.randn(1, 7, WIDTH), None)
    assert counter.get_total_flops() == kind.flops(shape, Part(name), 7)


@every_block
@inner_widths
def test_bfloat16_gradients_are_finite(name, inner):
    block = build(name, inner).train()
    with torch.autocast("cpu", torch.bfloat16):
        block(torch.randn(2, 3, WIDTH)).float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in block.parameters())


@every_block
@inner_widths
def test_state_dict_round_trip(name, inner):
    block, other, x = build(name, inner), build(name, inner), torch.randn(2, 3, WIDTH)
    assert not torch.equal(block(x), other(x))
    other.load_state_dict(block.state_dict())
    assert torch.equal(block(x), other(x))


def test_stack_is_linear_maps_with_gelu_between():
    block, x = build("mlp", (8, 5)), torch.randn(2, 3, WIDTH)
    (a, b), c = block.stack, block.output
    expected = c(F.gelu(b(F.gelu(a(x)))))
    assert_close(block(x), expected)
    assert sum(p.numel() for p in block.parameters()) == 7 * 8 + 9 * 5 + 6 * 6


def test_unknown_name_is_explained():
    assert FEEDFORWARDS["mlp"] is MultilayerPerceptron
    with pytest.raises(UnknownName, match=r"No feed-forward block is called 'mpl'.*'mlp'"):
        FEEDFORWARDS["mpl"]
