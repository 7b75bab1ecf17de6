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

    def rotation(self, head_width: int, *, local: bool = False) -> nn.Module | None:
        """Build what turns the queries and keys of attention heads; None for nothing.

        It maps `(batch, heads, length, head_width)` to the same shape.

        Args:
            head_width: Features of a head.
            local: Whether the heads see a window alone.
        """
        return None

    def penalty(self, heads: int) -> nn.Module | None:
        """Build what is added to the scores of attention heads; None for nothing.

        It maps a length to `(heads, length, length)`, queries in rows.
        """
        return None

    def table(self, width: int, norm: Part) -> nn.Module | None:
        """Build a table of distances that all layers share; None for nothing.

        Called without anything it gives `(rows, width)`. It runs beside the hidden states, through
        the same projections, to the mixers that have `buckets`.

        Args:
            width: Width of the first layer.
            norm: The encoder's kind of norm.
        """
        return None

    def buckets(self) -> nn.Module | None:
        """Build what finds the rows of pairs of tokens in the table; None where there is none.

        It maps a length and a device to the rows that occur, a slice, and for each pair, queries
        first, which of them it has, `(length, length)`.
        """
        return None


def make_positions(part: Part, max_length: int) -> Positions:
    """Build the positions that a part describes.

    Raises:
        UnknownName: If there is no such kind of positions.
    """
    return POSITIONS[part.kind](max_length, **dict(part.settings))
