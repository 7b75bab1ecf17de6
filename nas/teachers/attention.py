"""What a layer attends to: its queries, keys and values, and the scores that weigh tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from nas.models.mixers.attention import SelfAttention
from nas.models.mixers.grouped import GroupedAttention
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    from nas.models.blocks.plain import EncoderLayer


@dataclass(frozen=True)
class Attention:
    """Of one layer on a batch.

    Attributes:
        query: `(batch, heads, length, head_width)`.
        key: The same shape.
        value: The same shape.
        scores: What a softmax over the real keys turns into weights,
            `(batch, heads, length, length)`.
        seen: False for keys that a query does not see, `(length, length)`; None for all seen.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    scores: Tensor
    seen: Tensor | None = None


def attention_of(layer: "EncoderLayer", x: Tensor, heads: Tensor | None = None) -> Attention:
    """Return what a layer attends to.

    Args:
        layer: With self-attention heads alone.
        x: The hidden states it reads, `(batch, length, width)`.
        heads: Numbers of the heads that are wanted; None for all.

    Raises:
        InvalidData: It has other heads, which have no map from token to token.
    """
    mixer, *others = layer.mixers.values()
    if others or not isinstance(mixer, SelfAttention | GroupedAttention):
        raise InvalidData(
            f"The distillation compares what layers attend to, and one has heads {_names(layer)}. "
            "Give another distillation, such as hidden, or a space of self-attention (sa, "
            "attention) alone."
        )
    if mixer.buckets is not None:
        raise InvalidData(
            "The distillation compares what layers attend to, and disentangled positions keep a "
            "part of it outside of the layer. Give another distillation, such as hidden, or other "
            "positions."
        )
    read, values = layer.read(x)
    distances = None if layer.distances is None else layer.distances(x.shape[1])
    query, key, value = mixer.read(read, read if values is None else values)
    found = (query, key, value, mixer.scores(query, key, distances))
    seen = mixer.seen(x.shape[1], x.device)
    return Attention(*(found if heads is None else (part[:, heads] for part in found)), seen)


def both_see(one: Attention, other: Attention) -> Tensor | None:
    """Return which keys a query sees in both of two layers; None for all."""
    if one.seen is None or other.seen is None:
        return other.seen if one.seen is None else one.seen
    return one.seen & other.seen


def _names(layer: nn.Module) -> str:
    return ", ".join(sorted(layer.mixers))
