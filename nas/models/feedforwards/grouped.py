"""Grouped linear maps: the features are divided into groups, and none reads another's.

Source: Jiang et al., "ConvBERT: Improving BERT with Span-based Dynamic Convolution", NeurIPS 2020.
Differs on purpose: feature i belongs to group i modulo their number, where ConvBERT's groups are
runs of neighbours. That is the same up to the order of features, and features that are repeated
when an encoder grows stay in their group. Widths that the groups do not divide are divided as
evenly as can be, and only those that they divide grow without a change.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward
from nas.models.feedforwards.mlp import SHIFT
from search_spaces.kinds import SLOTS, Kind, LayerShape
from search_spaces.parts import Part, Setting

GROUPS = 2
SETTINGS = {"groups": Setting(GROUPS, allowed=(2, 4), weight=0.02)}


def group_sizes(width: int, groups: int) -> list[int]:
    """Return how many of `width` features are in each group."""
    return [len(range(g, width, groups)) for g in range(groups)]


def interleave(parts: Sequence[Tensor], width: int) -> Tensor:
    """Put the features of all groups, `(..., size of the group)`, back in order: `(..., width)`."""
    longest = parts[0].shape[-1]
    padded = [F.pad(part, (0, longest - part.shape[-1])) for part in parts]
    return torch.stack(padded, -1).flatten(-2)[..., :width]


def _maps(shape: LayerShape, part: Part) -> Iterator[tuple[int, int]]:
    """Yield what every linear map of every group reads and writes."""
    groups = dict(part.settings).get("groups", GROUPS)
    for a, b in pairwise((shape.width, *shape.feedforward, shape.width)):
        yield from zip(group_sizes(a, groups), group_sizes(b, groups), strict=True)


SLOTS["feedforward"].kinds.register("grouped")(
    Kind(
        "grouped",
        "linear maps inside groups of features",
        SETTINGS,
        parameters=lambda shape, part: sum((a + 1) * b for a, b in _maps(shape, part)),
        flops=lambda shape, part, length: 2 * length * sum(a * b for a, b in _maps(shape, part)),
        kept=lambda shape, part: 2 * sum(shape.feedforward),
        shared=lambda a, b: a if a == b else None,
    )
)


@FEEDFORWARDS.register("grouped")
class GroupedMaps(FeedForward):
    """Linear, GELU, ..., Linear for each group of features by itself.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last.
        groups: Groups that the features are divided into.
    """

    def __init__(self, width: int, inner: tuple[int, ...], groups: int = GROUPS):
        super().__init__(width, inner)
        self.groups = groups
        sizes = [group_sizes(n, groups) for n in (width, *self.inner, width)]
        *stack, output = (
            nn.ModuleList(nn.Linear(i, o) for i, o in zip(a, b, strict=True))
            for a, b in pairwise(sizes)
        )
        self.stack, self.output = nn.ModuleList(stack), output

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        axes = {}
        for g in range(self.groups):
            part = f"[{g}::{self.groups}]"
            axes[f"output.{g}.weight"] = (f"width{part}", f"<last{part}")
            axes[f"output.{g}.bias"] = (f"width{part}",)
            for k in range(len(self.stack)):
                before = f"<inner {k - 1}" if k else "<width"
                axes[f"stack.{k}.{g}.weight"] = (f"inner {k}{part}", f"{before}{part}")
                axes[f"stack.{k}.{g}.bias"] = (f"inner {k}{part}",)
        return axes

    def forward(self, x: Tensor) -> Tensor:
        written = []
        for g in range(self.groups):
            part = x[..., g :: self.groups]
            for linears in self.stack:
                part = F.gelu(linears[g](part))
            written.append(self.output[g](part))
        return interleave(written, self.width)

    def pass_on(self, depth: int, matrices: Sequence[Tensor]) -> None:
        """Shift features to where GELU is the identity; what reads them shifts them back."""
        for g in range(self.groups):
            for k, matrix in enumerate(matrices, depth):
                linear = self.stack[k][g]
                linear.weight.copy_(matrix[g :: self.groups, g :: self.groups])
                linear.bias.fill_(SHIFT)
                if k > depth:
                    linear.bias.sub_(linear.weight.sum(1) * SHIFT)
            self.output[g].bias.sub_(self.output[g].weight.sum(1) * SHIFT)
