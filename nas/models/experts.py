"""Banks of linear maps of one shape, one for each expert, and tokens that go through one of them.

Source: Fedus, Zoph, Shazeer, "Switch Transformers", JMLR 2022 (one expert a token, even use).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EVENNESS = 0.01  # weight in the loss of how evenly experts are used


class ExpertMaps(nn.Module):
    """As many linear maps as there are experts, in one tensor.

    One tensor, so that an expert that was not asked has a gradient of zero.

    Args:
        experts: How many.
        read: Features that each reads.
        written: Features that each writes.
        spread: Standard deviation of the weights at the start.
    """

    def __init__(self, experts: int, read: int, written: int, *, spread: float = 0.02):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(experts, written, read) * spread)
        self.bias = nn.Parameter(torch.zeros(experts, written))


def bank_axes(inner: int) -> dict[str, tuple[str, ...]]:
    """Words for the axes of the banks `stack` of `inner` maps and `output`."""
    axes = {
        "output.weight": ("experts", "width", "<last"),
        "output.bias": ("experts", "width"),
    }
    for k in range(inner):
        before = f"<inner {k - 1}" if k else "<width"
        axes[f"stack.{k}.weight"] = ("experts", f"inner {k}", before)
        axes[f"stack.{k}.bias"] = ("experts", f"inner {k}")
    return axes


def pass_on_shifted(
    stack: nn.ModuleList, output: ExpertMaps, depth: int, matrices: list[Tensor], shift: float
) -> None:
    """Shift features of every expert to where GELU is the identity; readers shift them back."""
    for k, matrix in enumerate(matrices, depth):
        maps = stack[k]
        maps.weight.copy_(matrix.expand_as(maps.weight))
        maps.bias.fill_(shift)
        if k > depth:
            maps.bias.sub_(maps.weight.sum(2) * shift)
    output.bias.sub_(output.weight.sum(2) * shift)


def router_scores(router: nn.Linear, tokens: Tensor) -> Tensor:
    """Return a score for each token and expert, `(..., experts)`, in single precision at least.

    In half precision several experts would have the same score, and others be the largest.
    """
    exact = torch.promote_types(tokens.dtype, torch.float32)
    with torch.autocast(tokens.device.type, enabled=False):
        return F.linear(tokens.to(exact), router.weight.to(exact), router.bias.to(exact))


def evenness(shares: Tensor, chosen: Tensor) -> Tensor:
    """How unevenly experts are used: 1 where evenly, their number where always the same one is.

    Args:
        shares: The router's probabilities, `(tokens, experts)`.
        chosen: Number of the expert that each token goes through, `(tokens,)`.
    """
    experts = shares.shape[-1]
    used = torch.bincount(chosen, minlength=experts).to(shares) / max(len(chosen), 1)
    return experts * (shares.sum(0) / max(len(chosen), 1) * used).sum()


def through_experts(
    tokens: Tensor, chosen: Tensor, banks: Sequence[ExpertMaps], *, at_once: bool
) -> Tensor:
    """Pass each token through the maps of its expert, with GELU between them.

    Args:
        tokens: `(n, read)`.
        chosen: Number of the expert of each, `(n,)`.
        banks: The maps, first to last.
        at_once: Pass every token through every expert, as graphs without data in their shapes
            need it.

    Returns:
        `(n, written)`.
    """
    experts = len(banks[0].bias)
    if at_once:
        asked = F.one_hot(chosen, experts).to(tokens.dtype)
        weights = [bank.weight.mT for bank in banks]
        biases = [bank.bias[:, None] for bank in banks]
        every = _through(tokens.expand(experts, -1, -1), weights, biases)
        return torch.einsum("end,ne->nd", every, asked)
    # sorted by their expert, so that each has one product to do
    order = chosen.argsort()
    counts = torch.bincount(chosen, minlength=experts).tolist()
    parts = tokens.index_select(0, order).split(counts)
    weights = zip(*(bank.weight.mT.unbind() for bank in banks), strict=True)
    biases = zip(*(bank.bias.unbind() for bank in banks), strict=True)
    fed = torch.cat([_through(*own) for own in zip(parts, weights, biases, strict=True)])
    return fed.index_select(0, order.argsort())


def _through(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = (F.gelu(x) if k else x) @ weight + bias
    return x
