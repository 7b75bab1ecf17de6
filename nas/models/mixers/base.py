"""What every token mixer is: the heads of one kind inside one encoder layer.

Shapes are written in words everywhere in this package: `batch` sequences, padded to `length`
tokens, each a vector of `width` numbers. A `keep` mask is boolean, `(batch, length)`, True for a
real token; the real tokens of a sequence come first, padding last. `keep=None` says that nothing is
padded.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from search_spaces.parts import Part
from search_spaces.registry import Registry

if TYPE_CHECKING:
    from nas.models.positions import Positions

# A kind such as "sa_sdp", the operation of a family with a number such as "c" (kernel 5: "c_5"), or
# one with other settings such as "longconv" ("longconv(filter=64)"), to a callable
# (width, heads, head_width, *, relative) -> Mixer. A family also takes its number, after the
# widths; others their settings by name, each with the default of its `Kind`.
MIXERS: Registry[Callable[..., "Mixer"]] = Registry("mixer", group="nas.mixers")


class Mixer(nn.Module, ABC):
    """Mixes information between tokens for a group of `heads` heads of one kind.

    A layer splits its heads into groups by kind, runs one mixer per group on the same input and
    concatenates the results, so mixers never know about each other.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        relative: Whether `forward` will be given vectors for the distances between tokens.

    Attributes:
        axes: What each axis of each tensor is, in the words of `nas.models.axes`, so that weights
            can be inherited; tensors not named here are inherited only by equal groups.
        splits: Whether `forward` takes `values`, other hidden states of which values are made;
            `split_values` says so.
        unpads: Whether it may be given a batch as its real tokens alone: `maps` of all, then `mix`
            of some sequences after the other, must give what `forward` does.
        causal: Whether `forward` and `mix` take `causal=True`, for tokens that see no later ones.
    """

    axes: ClassVar[dict[str, tuple[str, ...]]] = {}
    splits: bool = False
    unpads: ClassVar[bool] = False
    causal: ClassVar[bool] = False

    def __init__(self, width: int, heads: int, head_width: int, *, relative: bool = False):
        super().__init__()
        self.width, self.heads, self.head_width = width, heads, head_width
        self.relative = relative

    def read_positions(self, positions: "Positions") -> None:
        """Take what this mixer can read of the encoder's positions, beside `distances`.

        Nothing where it has no scores of queries and keys: then it knows of places what it is
        itself made of, as a convolution does.
        """

    def split_values(self, width: int) -> None:
        """Make values of other hidden states than queries and keys, of a width of their own.

        Nothing where it has no values apart from what it weighs them with: then it reads the same
        as before.
        """

    @abstractmethod
    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        """Mix `x`; neither the content nor the amount of padding may influence real tokens.

        Args:
            x: Hidden states, `(batch, length, width)`.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            distances: Vectors for the distances key minus query from `1 - length` to
                `length - 1`, `(2 * length - 1, head_width)`; None unless `relative`.

        Returns:
            `(batch, length, heads * head_width)`; at padding, any finite values.
        """

    def maps(self, x: Tensor, values: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return what `mix` reads, of each token by itself, `(..., features)` each.

        A mixer that does nothing before it mixes passes on what it is given.

        Args:
            x: Hidden states, `(..., width)`.
            values: What values are made of, where the mixer `splits`.
        """
        return (x,)

    def mix(
        self,
        maps: tuple[Tensor, ...],
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Return what `forward` gives, of what `maps` gave, `(batch, length, features)` each."""
        return self(maps[0], keep, distances)

    def attention_map(
        self,
        x: Tensor,
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor | None:
        """Return what each token takes of each, `(batch, heads, length, length)`.

        None where a head gives none, such as one that mixes by no weighted mean over tokens.
        """
        return None


def make_mixer(
    operation: str,
    parameter: str | int,
    width: int,
    heads: int,
    head_width: int,
    *,
    relative: bool = False,
) -> Mixer:
    """Build the mixer of one kind, such as ("sa", "sdp"), ("c", 5) or ("longconv", "filter=64").

    Raises:
        UnknownName: If no such mixer is registered.
    """
    build = MIXERS[registered_name(operation, parameter)]
    if isinstance(parameter, int):
        return build(width, heads, head_width, parameter, relative=relative)
    settings = Part.parse(f"{operation}({parameter})").settings if "=" in parameter else ()
    return build(width, heads, head_width, relative=relative, **dict(settings))


def registered_name(operation: str, parameter: str | int) -> str:
    """Return the name under which `MIXERS` has what builds a kind of head."""
    settings = isinstance(parameter, int) or not parameter or "=" in parameter
    return operation if settings else f"{operation}_{parameter}"


def split_heads(x: Tensor, heads: int) -> Tensor:
    """`(batch, length, heads * head_width)` to `(batch, heads, length, head_width)`."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """`(batch, heads, length, head_width)` to `(batch, length, heads * head_width)`."""
    return x.transpose(1, 2).flatten(2)


def exporting() -> bool:
    """Whether a graph of the model is being exported: what it cannot have must be done otherwise.

    torch before 2.7 does not tell exporting from compiling, where what is exported is right, too.
    """
    return getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)()
