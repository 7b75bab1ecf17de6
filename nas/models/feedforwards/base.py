"""What every feed-forward block is: the same function of each token, inside one encoder layer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from torch import Tensor, nn

from search_spaces.parts import Part
from search_spaces.registry import Registry

# name -> a callable (width, inner, **settings) -> FeedForward
FEEDFORWARDS: Registry[Callable[..., "FeedForward"]] = Registry(
    "feed-forward block", group="nas.feedforwards"
)


class FeedForward(nn.Module, ABC):
    """Maps every token by itself; residual, dropout and norm belong to the layer.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last; at least one.

    Attributes:
        reads: What `forward` is given: of "token" hidden states alone; of "tokens" also `keep`,
            which tells real tokens from padding; of "sequence" besides always whole sequences.
        deepens: Whether `pass_on` makes maps linear, so that depth can be added without change.
    """

    deepens: bool = True
    reads: ClassVar[str] = "token"

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
    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Map hidden states `(batch, length, width)` to the same shape.

        Args:
            x: Hidden states; of some tokens alone, `(n, width)`, unless a sequence is read.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
                What reads a token alone need not take it.
        """

    def pass_on(self, depth: int, matrices: Sequence[Tensor]) -> None:
        """Make the inner maps from number `depth` on linear, so that depth is added without change.

        What is not able to be linear does nothing; an inherited encoder then starts changed.

        Args:
            depth: Number of inner maps that were inherited.
            matrices: For each of the others what it is to compute, `(inner, inner before)`.
        """


def make_feedforward(part: Part, width: int, inner: tuple[int, ...]) -> FeedForward:
    """Build the feed-forward block that a part describes.

    Raises:
        UnknownName: If there is no such block.
    """
    return FEEDFORWARDS[part.kind](width, tuple(inner), **dict(part.settings))


def feed(block: FeedForward, x: Tensor, keep: Tensor | None) -> Tensor:
    """Return what a block makes of hidden states, given what it reads."""
    return block(x) if block.reads == "token" else block(x, keep)
