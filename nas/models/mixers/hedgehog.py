"""Linear attention whose features learn to weigh as a softmax does, in time linear in the length.

Source: Zhang et al., "The Hedgehog & the Porcupine: Expressive Linear Attentions with Softmax
Mimicry", ICLR 2024.
Differs on purpose: features are two softmaxes, the stable form of the two exponentials; maps have
no bias; padding is masked. Scores are never formed, so positions that change scores are not read;
with relative positions attention by distance alone is added, as in other mixers without scores,
and takes time in the square of the length.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.models.mixers.base import MIXERS, Mixer, join_heads
from nas.models.mixers.relative import position_weights
from search_spaces.kinds import Kind
from search_spaces.operations import OPERATIONS, HeadGroup
from search_spaces.parts import Part

LEAST = 1e-12  # of a denominator: of a sequence without any token it is 0


def _parameters(group: HeadGroup, part: Part) -> int:
    return 3 * group.projection + 2 * group.inner * group.head_width


def _flops(group: HeadGroup, part: Part, length: int) -> int:
    maps = 3 * group.width * group.inner + 2 * group.inner * group.head_width
    # twice as many features as a head has: their products with values, with queries, and the sums
    products = 2 * (2 * group.inner * group.head_width) + 2 * group.inner
    positions = 4 * length * length * group.inner if group.relative else 0
    return 2 * length * (maps + products) + positions


OPERATIONS.register("hedgehog")(
    Kind(
        "hedgehog",
        "linear attention",
        {},
        parameters=_parameters,
        flops=_flops,
        kept=lambda group, part: 12 * group.inner,
    )
)


def features(x: Tensor) -> Tensor:
    """Return twice as many positive features, of `(..., features)`: those of x and of its negative.

    Each half adds up to 1.
    """
    return torch.cat([x.softmax(-1), (-x).softmax(-1)], -1)


@MIXERS.register("hedgehog")
class LinearAttention(Mixer):
    """Every token takes a mean of all values, weighted by products of positive features.

    Query, key and value share one Linear whose output is `[query; key; value]`; a map of each head,
    the identity at the start, makes of queries and of keys what the features are taken of.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        relative: Whether attention by distance is added.
    """

    axes: ClassVar = {
        "query_key_value.weight": ("out+out+out", "<width"),
        "query_key_value.bias": ("out+out+out",),
        "query_map": ("head", "<feature", "feature"),
        "key_map": ("head", "<feature", "feature"),
    }
    unpads: ClassVar = True

    def __init__(self, width: int, heads: int, head_width: int, *, relative: bool = False):
        super().__init__(width, heads, head_width, relative=relative)
        self.query_key_value = nn.Linear(width, 3 * heads * head_width)
        self.query_map = nn.Parameter(torch.eye(head_width).repeat(heads, 1, 1))
        self.key_map = nn.Parameter(torch.eye(head_width).repeat(heads, 1, 1))

    def weights(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """Return what each token takes of each, `(batch, heads, length, length)`.

        In time and memory as large as the square of the length: to be compared with a softmax.
        """
        query, key, _ = self._split(self.maps(x))
        asking, asked = self._features(query, key, keep)
        products = asking @ asked.mT
        return products / products.sum(-1, keepdim=True).clamp(min=LEAST)

    def maps(self, x: Tensor, values: Tensor | None = None) -> tuple[Tensor, ...]:
        return (self.query_key_value(x),)

    def _split(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        joined = maps[0].unflatten(-1, (3, self.heads, self.head_width))
        query, key, value = (part.transpose(1, 2) for part in joined.unbind(2))
        return query, key, value

    def _features(self, query: Tensor, key: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        asking, asked = features(query @ self.query_map), features(key @ self.key_map)
        return asking, asked if keep is None else asked * keep[:, None, :, None]

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        return self.mix(self.maps(x), keep, distances)

    def mix(
        self,
        maps: tuple[Tensor, ...],
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        query, key, value = self._split(maps)
        asking, asked = self._features(query, key, keep)
        mixed = attend(asking, asked, value).to(value.dtype)
        if distances is not None:
            mixed = mixed + position_weights(query, distances, keep) @ value
        return join_heads(mixed)


def attend(asking: Tensor, asked: Tensor, value: Tensor) -> Tensor:
    """Weigh the values of all tokens by the products of features, without forming the products.

    Args:
        asking: Features of the queries, `(batch, heads, length, features)`.
        asked: Features of the keys, zero at padding, of the same shape.
        value: `(batch, heads, length, head_width)`, finite at padding.

    Returns:
        `(batch, heads, length, head_width)`, in single precision at least.
    """
    exact = torch.promote_types(value.dtype, torch.float32)
    with torch.autocast(
        value.device.type, enabled=False
    ):  # sums over all tokens lose half's digits
        asking, asked, value = (part.to(exact) for part in (asking, asked, value))
        total = asking @ (asked.mT @ value)
        return total / (asking @ asked.sum(2)[..., None]).clamp(min=LEAST)
