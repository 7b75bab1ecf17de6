"""How an encoder knows where a token stands. Importing this package registers each module below."""

from nas.models.positions.absolute import AbsolutePositions  # absolute
from nas.models.positions.alibi import LinearBiases
from nas.models.positions.base import POSITIONS, Positions, make_positions
from nas.models.positions.disentangled import DisentangledPositions
from nas.models.positions.relative import RelativePositions  # relative
from nas.models.positions.rope import RotaryPositions

__all__ = [
    "POSITIONS",
    "AbsolutePositions",
    "Positions",
    "RelativePositions",
    "make_positions",
]
