"""Rotary positions: queries and keys are turned by their place, so that scores see distances.

Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021; Warner et
al., "Smarter, Better, Faster, Longer" (ModernBERT), ACL 2025 (another base in heads with a window).
Differs on purpose: of a head with an odd number of features the last one is not turned; mixers
without queries and keys read no positions.
"""

import torch
from torch import Tensor, nn

from nas.models.positions.base import POSITIONS, Positions
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

BASE = 10_000

SLOTS["positions"].kinds.register("rope")(
    Kind(
        "rope",
        "queries and keys are turned by their place",
        {
            "base": Setting(BASE, weight=0.005),
            "local": Setting(BASE, weight=0.005),
        },
    )
)


class Rotation(nn.Module):
    """Turns pairs of features, the i-th of both halves, by the place times a frequency of i.

    Args:
        head_width: Features of a head.
        base: Ratio of the largest frequency, 1, to the smallest one of an endless head.
    """

    def __init__(self, head_width: int, base: int):
        super().__init__()
        self.half, self.base = head_width // 2, base

    def forward(self, x: Tensor) -> Tensor:
        """Turn `(batch, heads, length, head_width)` by the places along `length`."""
        # angles of long sequences need more digits than half precision has
        with torch.autocast(x.device.type, enabled=False):
            pair = torch.arange(self.half, device=x.device, dtype=torch.float32)
            frequency = self.base ** (-pair / max(self.half, 1))
            place = torch.arange(x.shape[2], device=x.device, dtype=torch.float32)
            angle = place[:, None] * frequency
            cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        a, b, rest = x.split((self.half, self.half, x.shape[-1] - 2 * self.half), -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


@POSITIONS.register("rope")
class RotaryPositions(Positions):
    """Rotations in every layer.

    Args:
        max_length: Longest sequence, in tokens.
        base: What the smallest frequency comes from.
        local: The same, of heads that see a window alone.
    """

    def __init__(self, max_length: int, base: int = BASE, local: int = BASE):
        super().__init__(max_length)
        self.base, self.local = base, local

    def rotation(self, head_width: int, *, local: bool = False) -> nn.Module:
        return Rotation(head_width, self.local if local else self.base)
