"""A penalty on the scores of attention that grows with the distance, at a slope for each head.

Source: Press, Smith, Lewis, "Train Short, Test Long: Attention with Linear Biases Enables Input
Length Extrapolation", ICLR 2022; Portes et al., "MosaicBERT", NeurIPS 2023 (both directions).
Differs on purpose: slopes are those of the attention heads of one kind in a layer, which are what
is penalised; mixers without scores read no positions; an inherited head keeps its slope.
"""

import torch
from torch import Tensor, nn

from nas.models.positions.base import POSITIONS, Positions
from search_spaces.kinds import SLOTS, Kind

SLOTS["positions"].kinds.register("alibi")(
    Kind("alibi", "attention is biased by the distance, at a slope for each head")
)


def slopes(heads: int) -> list[float]:
    """Return the slope of each head: powers of 2, and powers between where heads are no power of 2.

    For n heads, a power of two, that of head h is `2 ** (-8 * h / n)`, h from 1. Of other numbers
    the largest power of two below comes first, then every second slope of twice as many.
    """
    whole = 1 << (heads.bit_length() - 1)
    first = [2.0 ** (-8 * h / whole) for h in range(1, whole + 1)]
    between = [2.0 ** (-8 * h / (2 * whole)) for h in range(1, 2 * whole, 2)]
    return first + between[: heads - whole]


class DistancePenalty(nn.Module):
    """`-slope * |key - query|` for each head; slopes are kept with the weights and not trained."""

    def __init__(self, heads: int):
        super().__init__()
        self.register_buffer("slopes", torch.tensor(slopes(heads)))

    def forward(self, length: int) -> Tensor:
        """Return what is added to the scores of a sequence, `(heads, length, length)`."""
        place = torch.arange(length, device=self.slopes.device)
        distance = (place[:, None] - place).abs()
        return -self.slopes[:, None, None] * distance


@POSITIONS.register("alibi")
class LinearBiases(Positions):
    """Linear biases, the same in every layer."""

    def penalty(self, heads: int) -> nn.Module:
        return DistancePenalty(heads)
