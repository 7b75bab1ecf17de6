"""How an encoder knows where a token stands. Importing this package registers each module below."""

from nas.models.positions.absolute import AbsolutePositions  # absolute
from nas.models.positions.base import POSITIONS, Positions, make_positions
from nas.models.positions.relative import RelativePositions  # relative

__all__ = [
    "POSITIONS",
    "AbsolutePositions",
    "Positions",
    "RelativePositions",
    "make_positions",
]
