"""Self-attention heads: scaled dot products (`sa_sdp`) and weighted products (`sa_wma`).

Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017. Weighted products: Luong, Pham,
Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015.
Differs on purpose: no dropout on the attention weights (it forbids fused kernels and the layer has
dropout already); the weighting matrix exists only where it is used, one per head, and starts as
the identity, so that a weighted head starts as a scaled dot-product head.
"""

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.mixers.base import MIXERS, join_heads, split_heads
from nas.models.mixers.relative import masked_softmax
from nas.models.mixers.scores import ScoringMixer


class SelfAttention(ScoringMixer):
    """Every token takes a weighted mean of all values; weights from its query and their keys.

    Query, key and value share one Linear whose output is `[query; key; value]`, each
    `heads * head_width` wide.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        weighted: Whether scores are query W key instead of query key, W learned per head.
        relative: Whether scores depend on the distance between tokens, too.
    """

    axes: ClassVar = {
        "query_key_value.weight": ("out+key+out", "<width"),
        "query_key_value.bias": ("out+key+out",),
        "query_key.weight": ("out+key", "<width"),
        "query_key.bias": ("out+key",),
        "value.weight": ("out", "<values"),
        "value.bias": ("out",),
        "weighting": ("head", "<feature", "feature"),
        **ScoringMixer.axes,
    }
    unpads: ClassVar = True
    causal: ClassVar = True

    def __init__(
        self, width: int, heads: int, head_width: int, *, weighted: bool, relative: bool = False
    ):
        super().__init__(width, heads, head_width, relative=relative)
        self.query_key_value = nn.Linear(width, 3 * heads * head_width)
        self.weighting = None
        if weighted:
            self.weighting = nn.Parameter(torch.eye(head_width).repeat(heads, 1, 1))

    def split_values(self, width: int) -> None:
        inner, self.splits = self.heads * self.head_width, True
        del self.query_key_value
        self.query_key, self.value = nn.Linear(self.width, 2 * inner), nn.Linear(width, inner)

    def forward(
        self,
        x: Tensor,
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
        values: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        return self.mix(self.maps(x, values), keep, distances, rows, causal=causal)

    def maps(self, x: Tensor, values: Tensor | None = None) -> tuple[Tensor, ...]:
        if not self.splits:
            return (self.query_key_value(x),)
        return (self.query_key(x), *(() if values is None else (self.value(values),)))

    def mix(
        self,
        maps: tuple[Tensor, ...],
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        query, key, value = self.split(maps)
        seen = self.seen(query.shape[2], query.device, causal=causal)
        return join_heads(self.attend(query, key, value, keep, distances, rows, seen))

    def attention_map(
        self,
        x: Tensor,
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        query, key, _ = self.read(x)
        return masked_softmax(self.scores(query, key, distances, rows), keep)

    def split(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor | None]:
        if self.splits:
            query, key = (split_heads(part, self.heads) for part in maps[0].chunk(2, -1))
            return query, key, None if len(maps) == 1 else split_heads(maps[1], self.heads)
        joined = maps[0].unflatten(-1, (3, self.heads, self.head_width))
        query, key, value = (part.transpose(1, 2) for part in joined.unbind(2))
        return query, key, value

    def weigh(self, query: Tensor) -> Tensor:
        return query if self.weighting is None else query @ self.weighting

    def of_rows(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        if self.splits:
            query, key = self.query_key(rows).chunk(2, -1)
            return split_heads(query, self.heads), split_heads(key, self.heads)
        two = 2 * self.heads * self.head_width
        weight, bias = self.query_key_value.weight[:two], self.query_key_value.bias[:two]
        query, key = F.linear(rows, weight, bias).chunk(2, -1)
        return split_heads(query, self.heads), split_heads(key, self.heads)


MIXERS.register("sa_sdp")(partial(SelfAttention, weighted=False))
MIXERS.register("sa_wma")(partial(SelfAttention, weighted=True))
