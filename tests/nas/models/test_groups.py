"""Grouped maps and block-diagonal gated units equal dense maps of block-diagonal matrices."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers.models.convbert.modeling_convbert import GroupedLinearLayer

from nas.models.feedforwards.glu import ACTIVATIONS, GatedLinearUnits
from nas.models.feedforwards.grouped import GroupedMaps, group_sizes, interleave
from nas.models.feedforwards.monarch_glu import MonarchGatedUnits
from search_spaces.errors import InvalidArchitecture
from search_spaces.kinds import SLOTS


def order(width, groups):
    """Our features in the order of a layout whose groups are runs of neighbours."""
    return torch.cat([torch.arange(g, width, groups) for g in range(groups)])


def random(block):
    with torch.no_grad():
        for p in block.parameters():
            p.normal_(std=0.5)
    return block.double()


def dense(linears):
    weight = torch.block_diag(*(linear.weight for linear in linears))
    return weight, torch.cat([linear.bias for linear in linears])


def same_with_gradients(block, slow, width):
    x = torch.randn(2, 3, width, dtype=torch.float64, requires_grad=True)
    ours, theirs = block(x), slow(x)
    assert_close(ours, theirs)
    inputs = [x, *block.parameters()]
    for a, b in zip(
        torch.autograd.grad(ours.square().sum(), inputs),
        torch.autograd.grad(theirs.square().sum(), inputs),
        strict=True,
    ):
        assert_close(a, b)


@pytest.mark.parametrize("inner", [(12,), (12, 8), (7,)], ids=str)
@pytest.mark.parametrize("groups", [2, 4])
def test_groups_are_the_blocks_of_a_dense_map(groups, inner):
    block = random(GroupedMaps(8, inner, groups))

    def slow(x):
        x = x[..., order(8, groups)]
        for linears in block.stack:
            x = F.gelu(F.linear(x, *dense(linears)))
        return F.linear(x, *dense(block.output))[..., order(8, groups).argsort()]

    same_with_gradients(block, slow, 8)


def test_groups_are_those_of_convbert():
    block = random(GroupedMaps(8, (12,), 2))
    theirs = [GroupedLinearLayer(a, b, 2).double() for a, b in ((8, 12), (12, 8))]
    with torch.no_grad():
        for layer, linears in zip(theirs, (block.stack[0], block.output), strict=True):
            for g, linear in enumerate(linears):
                layer.weight[g] = linear.weight.t()
            layer.bias.copy_(torch.cat([linear.bias for linear in linears]))

    def slow(x):
        return theirs[1](F.gelu(theirs[0](x[..., order(8, 2)])))[..., order(8, 2).argsort()]

    x = torch.randn(2, 3, 8, dtype=torch.float64)
    assert_close(block(x), slow(x))


def test_features_of_uneven_groups_stand_in_order():
    assert group_sizes(7, 3) == [3, 2, 2]
    x = torch.arange(7.0)
    assert_close(interleave([x[g::3] for g in range(3)], 7), x)


@pytest.mark.parametrize("blocks", [2, 4])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_blocks_are_gated_by_the_first_half_of_a_block_diagonal_map(blocks, activation):
    block = random(MonarchGatedUnits(8, (16,), blocks, activation))
    act = {"gelu": F.gelu, "silu": lambda z: z * torch.sigmoid(z)}[activation]

    def slow(x):
        # as M2-BERT writes it: one block-diagonal map whose outputs are the gates, then the values;
        # its block i writes neighbours, which are the features of one or two of our blocks
        x = x[..., order(8, blocks)]
        parts = [(block.gate[0][g], block.value[0][g]) for g in range(blocks)]
        rows = [gate for gate, _ in parts] + [value for _, value in parts]
        each = 16 // blocks
        big = [rows[2 * i : 2 * i + 2] for i in range(blocks)]
        weight = torch.block_diag(*(torch.cat([m.weight for m in pair]) for pair in big))
        written = F.linear(x, weight, torch.cat([m.bias for m in rows]))
        assert weight.shape == (2 * blocks * each, 8)
        gate, value = written.chunk(2, -1)
        return F.linear(act(gate) * value, *dense(block.output))[..., order(8, blocks).argsort()]

    same_with_gradients(block, slow, 8)


def test_one_block_is_the_usual_gated_unit():
    block, usual = random(MonarchGatedUnits(6, (5, 4), 1)), GatedLinearUnits(6, (5, 4)).double()
    with torch.no_grad():
        for k in range(2):
            gate, value = block.gate[k][0], block.value[k][0]
            usual.gated[k].weight.copy_(torch.cat([gate.weight, value.weight]))
            usual.gated[k].bias.copy_(torch.cat([gate.bias, value.bias]))
        usual.output.load_state_dict(block.output[0].state_dict())
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    assert_close(block(x), usual(x))


def test_a_quarter_of_the_weights_is_left():
    def weights(block):
        return sum(p.numel() for p in block.parameters() if p.ndim > 1)

    assert weights(GatedLinearUnits(64, (128,))) == 4 * weights(MonarchGatedUnits(64, (128,)))


def test_other_numbers_of_groups_are_refused():
    with pytest.raises(InvalidArchitecture, match=r"groups is 3\. Allowed: 2, 4"):
        SLOTS["feedforward"].read("grouped(groups=3)")
