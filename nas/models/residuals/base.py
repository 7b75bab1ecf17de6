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
    """

    axes: ClassVar[dict[str, tuple[str, ...]]] = {}
    normed: ClassVar[bool]
    mixers_normed: bool = True

    def __init__(self, width: int):
        super().__init__()

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
