"""What every residual connection is: what a block reads, and how its result joins what it read."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from search_spaces.parts import Part
from search_spaces.registry import Registry

# name -> a callable (width, **settings) -> Residual
RESIDUALS: Registry[Callable[..., "Residual"]] = Registry("residual", group="nas.residuals")


class Residual(nn.Module, ABC):
    """One residual connection around one block, which has one norm; dropout belongs to the layer.

    Args:
        width: Width of the hidden states.

    Attributes:
        axes: What each axis of each tensor is, in the words of `nas.models.axes`.
        mixers_normed: Whether the mixers of its layer have a norm.
        normed: Whether what leaves it comes straight from the norm; if not, a norm stands once
            more where the encoder ends.
        looks_back: Whether its layer reads `mix` of all earlier hidden states.
    """

    axes: ClassVar[dict[str, tuple[str, ...]]] = {}
    normed: bool
    looks_back: ClassVar[bool] = False
    mixers_normed: bool = True

    def __init__(self, width: int):
        super().__init__()

    def look_back(self, states: int) -> None:
        """Make what it needs to read so many hidden states; nothing where it reads the last alone.

        Only the first residual connection of a layer is asked.

        Args:
            states: The embeddings and what each earlier layer wrote.
        """

    def mix(self, states: list[Tensor]) -> Tensor:
        """Return the hidden states that the layer is given, `(batch, length, width)`.

        Args:
            states: What `look_back` was told of, first to last, `(batch, length, width)` each.
        """
        return states[-1]

    @abstractmethod
    def before(self, x: Tensor, norm: nn.Module) -> Tensor:
        """Return what the block reads, of hidden states `(..., width)`."""

    @abstractmethod
    def after(self, x: Tensor, y: Tensor, norm: nn.Module) -> Tensor:
        """Return the hidden states after the block.

        Args:
            x: Hidden states before it, `(..., width)`.
            y: What the block made of `before(x, norm)`, same shape.
            norm: The norm of this connection.
        """


def make_residual(part: Part, width: int) -> Residual:
    """Build the residual connection that a part describes.

    Raises:
        UnknownName: If there is no such residual.
    """
    return RESIDUALS[part.kind](width, **dict(part.settings))
