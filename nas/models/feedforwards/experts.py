"""A bank of linear maps of one shape, one for each expert of a feed-forward."""

import torch
from torch import Tensor, nn


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

    def each(self) -> list[tuple[Tensor, Tensor]]:
        """Return weight `(written, read)` and bias `(written,)` of each expert."""
        return list(zip(self.weight.unbind(), self.bias.unbind(), strict=True))


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
