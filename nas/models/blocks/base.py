"""What every block is: one whole encoder layer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from nas.models.positions import Positions
from search_spaces.parts import Part
from search_spaces.registry import Registry

if TYPE_CHECKING:
    from search_spaces.architectures.layers import Layer

# name -> a callable (layer, next_width, inside, **settings) -> module that maps hidden states
# `(batch, length, width)`, `keep` and `at` as `EncoderLayer` does, and tells of its norms, maps and
# feed-forwards what `EncoderLayer` tells, so that weights can be inherited
BLOCKS: Registry[Callable[..., nn.Module]] = Registry("block", group="nas.blocks")


@dataclass(frozen=True)
class Inside:
    """What all layers of one encoder have in common.

    Attributes:
        positions: How they know where a token stands.
        norm: The kind of norm.
        projection: The kind of map where widths differ.
        dropout: Probability that a feature of a result is zeroed in training.
    """

    positions: Positions
    norm: Part
    projection: Part
    dropout: float


def make_block(layer: "Layer", next_width: int, inside: Inside, *, states: int = 1) -> nn.Module:
    """Build a layer, and the projection to the next one's width where it differs.

    Args:
        layer: Width, heads, feed-forward widths and `part(slot)`.
        next_width: Width of the next layer.
        inside: What all layers have in common.
        states: Hidden states there are when it begins: one more than layers before it.

    Raises:
        UnknownName: If there is no such block, or nothing of a name in one of its slots.
    """
    part = layer.part("block")
    block = BLOCKS[part.kind](layer, next_width, inside, **dict(part.settings))
    residual = getattr(block, "residual", None)
    if residual is not None:
        residual.look_back(states)
    return block
