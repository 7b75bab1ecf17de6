"""What every feed-forward block is: the same function of each token, inside one encoder layer."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from search_spaces.registry import Registry

# name -> a callable (width, inner) -> FeedForward
FEEDFORWARDS: Registry[Callable[..., "FeedForward"]] = Registry(
    "feed-forward block", group="nas.feedforwards"
)


class FeedForward(nn.Module, ABC):
    """Maps every token by itself; residual, dropout and norm belong to the layer.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last; at least one.
    """

    def __init__(self, width: int, inner: tuple[int, ...]):
        super().__init__()
        self.width, self.inner = width, tuple(inner)

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """What each axis of each tensor is, in the words of `nas.models.axes`.

        Blocks inherit weights by it; one that does not say inherits only from its equal.
        """
        return {}

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map hidden states `(batch, length, width)` to the same shape."""
