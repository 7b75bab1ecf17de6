"""What every norm is: the same function of each token, that keeps features at one size."""

from collections.abc import Callable

from torch import nn

from search_spaces.parts import Part
from search_spaces.registry import Registry

# name -> a callable (width, **settings) -> module `(…, width)` to the same shape, with `axes`, what
# each axis of its tensors is in the words of `nas.models.axes`. A norm whose tensors are a `weight`
# that multiplies and a `bias` that is added lends them to another that has the same.
NORMS: Registry[Callable[..., nn.Module]] = Registry("norm", group="nas.norms")


def make_norm(part: Part, width: int) -> nn.Module:
    """Build the norm that a part describes, over `width` features.

    Raises:
        UnknownName: If there is no such norm.
    """
    return NORMS[part.kind](width, **dict(part.settings))
