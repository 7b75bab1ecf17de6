"""What every kind of positions is: what is added to embeddings, and what mixers are given."""

from collections.abc import Callable

from torch import nn

from search_spaces.parts import Part
from search_spaces.registry import Registry

# name -> a callable (max_length, **settings) -> Positions
POSITIONS: Registry[Callable[..., "Positions"]] = Registry(
    "kind of positions", group="nas.positions"
)


class Positions:
    """Where tokens stand, for one encoder: it makes the modules that tell it.

    Args:
        max_length: Longest sequence, in tokens.
    """

    def __init__(self, max_length: int):
        self.max_length = max_length

    def added(self, width: int) -> nn.Module | None:
        """Build what is added to the embeddings: length to `(length, width)`; None for nothing."""
        return None

    def distances(self, head_width: int) -> nn.Module | None:
        """Build what the mixers of one layer read; None for nothing.

        It maps a length to `(2 * length - 1, head_width)`: a vector for each distance key minus
        query, from `1 - length` to `length - 1`.
        """
        return None


def make_positions(part: Part, max_length: int) -> Positions:
    """Build the positions that a part describes.

    Raises:
        UnknownName: If there is no such kind of positions.
    """
    return POSITIONS[part.kind](max_length, **dict(part.settings))
