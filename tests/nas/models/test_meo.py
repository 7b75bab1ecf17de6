"""Merged experts equal the sum of what the experts answer, map by map; gates are the paper's."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from nas.models import merged_product as merging
from nas.models.feedforwards.meo import LEVELS, MergedExperts, MergedMap, unevenness
from nas.models.feedforwards.mlp import MultilayerPerceptron


def random(block, std=0.5):
    with torch.no_grad():
        for p in block.parameters():
            p.normal_(std=std)
    return block.double().eval()


def twin_map(merged, tokens):
    """One sequence of real tokens: every expert's answer, weighted by its gate."""
    seen = sum(tokens) / len(tokens) if merged.task is None else merged.task
    scores = [merged.gate[e] @ seen + merged.gate_bias[e] for e in range(len(merged.gate))]
    best = sorted(range(len(scores)), key=lambda e: -scores[e].item())[: merged.top]
    total = sum(torch.exp(scores[e]) for e in best)
    gates = {e: torch.exp(scores[e]) / total for e in best}
    return [
        sum(g * (merged.maps.weight[e] @ t + merged.maps.bias[e]) for e, g in gates.items())
        for t in tokens
    ]


def twin(block, tokens):
    if block.down is not None:
        tokens = [
            t + block.up @ F.relu(block.down.weight @ t + block.down.bias) + block.up_bias
            for t in tokens
        ]
    for merged in block.stack:
        tokens = [F.gelu(t) for t in twin_map(merged, tokens)]
    return torch.stack(twin_map(block.output, tokens))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("inner", [(5,), (5, 3)], ids=str)
def test_it_is_the_sum_of_the_experts_with_gradients(level, inner):
    block = random(MergedExperts(4, inner, 4, 0.5, level))
    x = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    keep = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    slow = torch.cat([twin(block, list(row[mask])) for row, mask in zip(x, keep, strict=True)])
    fast = block(x, keep)[keep]
    assert_close(fast, slow)
    inputs = [x, *(p for n, p in block.named_parameters() if "noise" not in n)]
    for a, b in zip(
        torch.autograd.grad(fast.square().sum(), inputs),
        torch.autograd.grad(slow.square().sum(), inputs),
        strict=True,
    ):
        assert_close(a, b)


def pieces(monkeypatch, rows, sequences):
    for name, value in (("_ROWS", rows), ("_SEQUENCES", sequences), ("_ROOM", 0)):
        monkeypatch.setattr(merging, name, value)


@pytest.mark.parametrize("padded", [False, True])
def test_in_pieces_it_is_what_it_is_at_once(monkeypatch, padded):
    pieces(monkeypatch, 2, 2)
    block = random(MergedMap(3, 2, 4, 5, task=False))
    x = torch.randn(3, 6, 4, dtype=torch.float64, requires_grad=True)
    keep = torch.arange(6) < torch.tensor([6, 1, 3])[:, None] if padded else None
    inputs = [x, *(p for n, p in block.named_parameters() if "noise" not in n)]
    wanted = torch.randn(3, 6, 5, dtype=torch.float64)
    found = []
    for in_parts in (True, False):
        monkeypatch.setattr(merging, "_in_parts", lambda x, chosen=in_parts: chosen)
        out = block(x, keep)
        found.append([out, *torch.autograd.grad((out * wanted).sum(), inputs)])
    assert_close(*found)


def test_gradients_of_gradients_are_right_in_pieces(monkeypatch):
    pieces(monkeypatch, 1, 1)
    block = random(MergedMap(2, 2, 3, 4, task=False), std=0.3)
    x = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    weights = block.maps.weight, block.maps.bias
    assert torch.autograd.gradcheck(lambda x, *_: block(x, None), (x, *weights))
    assert torch.autograd.gradgradcheck(lambda x, *_: block(x, None), (x, *weights))


@pytest.mark.parametrize("level", LEVELS)
def test_equal_experts_are_the_usual_feed_forward_at_any_gate(level):
    block, usual = (
        random(MergedExperts(4, (6,), level=level)),
        random(MultilayerPerceptron(4, (6,))),
    )
    with torch.no_grad():
        for merged, linear in zip(
            (*block.stack, block.output), (*usual.stack, usual.output), strict=True
        ):
            merged.maps.weight.copy_(linear.weight.expand_as(merged.maps.weight))
            merged.maps.bias.copy_(linear.bias.expand_as(merged.maps.bias))
        if level == "token":
            block.up.zero_()
            block.up_bias.zero_()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    assert_close(block(x), usual(x))


def test_gates_of_zero_are_the_mean_of_all_experts():
    block = MergedMap(3, 3, 4, 5, task=False).double().eval()
    x = torch.randn(2, 6, 4, dtype=torch.float64)
    assert_close(block(x, None), F.linear(x, block.maps.weight.mean(0), block.maps.bias.mean(0)))


def test_the_map_of_tokens_changes_nothing_at_the_start():
    torch.manual_seed(0)
    with_tokens = MergedExperts(4, (6,), level="token").eval()
    plain = MergedExperts(4, (6,)).eval()
    plain.load_state_dict(
        {k: v for k, v in with_tokens.state_dict().items() if k in plain.state_dict()}
    )
    x = torch.randn(2, 3, 4)
    assert torch.equal(with_tokens(x), plain(x))


def test_unevenness_is_zero_where_all_are_used_alike():
    assert unevenness(torch.full((4,), 3.0)).item() == 0.0
    assert unevenness(torch.tensor([1.0, 0.0, 0.0, 0.0])).item() == pytest.approx(3.0)


def test_the_load_is_how_often_another_draw_chooses_each():
    torch.manual_seed(0)
    block = MergedMap(4, 2, 3, 5, task=False).double()
    clean = torch.tensor([[0.3, 0.1, 0.0, -0.4]], dtype=torch.float64)
    spread = torch.full_like(clean, 0.3)
    scores = clean + torch.tensor([[0.1, -0.2, 0.1, 0.0]])
    found = block._load(clean, scores, spread)
    for e in range(4):  # the others stay as they are, and one draws again
        others = torch.cat([scores[0, :e], scores[0, e + 1 :]]).sort(descending=True).values
        drawn = clean[0, e] + spread[0, e] * torch.randn(200_000, dtype=torch.float64)
        assert found[e].item() == pytest.approx(
            (drawn > others[1]).double().mean().item(), abs=0.005
        )


def test_it_costs_less_than_half_of_four_experts_that_answer():
    block, dense = MergedExperts(16, (64,), 8, 0.5).eval(), MultilayerPerceptron(16, (64,))
    counted = []
    for module in (block, dense):
        with FlopCounterMode(display=False) as counter:
            module(torch.randn(1, 128, 16))
        counted.append(counter.get_total_flops())
    assert 4 * counted[1] / counted[0] > 2
