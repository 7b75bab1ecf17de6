"""What every projection is: hidden states of one width to those of another, token by token."""

from collections.abc import Callable

from torch import nn

from search_spaces.parts import Part
from search_spaces.registry import Registry

# name -> a callable (width, next_width, **settings) -> module `(…, width)` to `(…, next_width)`
PROJECTIONS: Registry[Callable[..., nn.Module]] = Registry("projection", group="nas.projections")


def make_projection(part: Part, width: int, next_width: int) -> nn.Module | None:
    """Build the projection that a part describes; None where no width changes.

    Raises:
        UnknownName: If there is no such projection.
    """
    if width == next_width:
        return None
    return PROJECTIONS[part.kind](width, next_width, **dict(part.settings))
