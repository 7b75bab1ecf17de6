"""ConvBERT's mixed attention: half of the heads attend, half apply kernels, with common queries.

Source: Jiang et al., "ConvBERT: Improving BERT with Span-based Dynamic Convolution", NeurIPS 2020.
Differs on purpose: padding is masked before both convolutions, which published code leaks into real
tokens; heads of the two kinds take turns (head 0 attends, head 1 convolves), the same up to their
order, so that the two stay what they are where heads are added; of an odd number of heads one more
attends. Heads "sa" and "c" side by side are the same idea with queries of their own.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.models.mixers.base import MIXERS, Mixer, split_heads
from nas.models.mixers.convolution import banded, spanned
from nas.models.mixers.relative import masked_softmax, position_weights, relative_scores
from search_spaces.kinds import Kind
from search_spaces.operations import OPERATIONS, HeadGroup
from search_spaces.parts import Part, Setting

KERNEL = 9


def _kernel(part: Part) -> int:
    return dict(part.settings).get("kernel", KERNEL)


def _parts(group: HeadGroup) -> tuple[int, int]:
    """Return the features of all heads that attend, and of all that convolve."""
    convolving = group.heads // 2
    return (group.heads - convolving) * group.head_width, convolving * group.head_width


def _parameters(group: HeadGroup, part: Part) -> int:
    attended, convolved = _parts(group)
    total = 3 * (group.width + 1) * attended
    if not convolved:
        return total
    taps = (convolved + 1) * (group.heads // 2) * _kernel(part)
    return total + 2 * (group.width + 1) * convolved + group.width * _kernel(part) + taps


def _flops(group: HeadGroup, part: Part, length: int) -> int:
    attended, convolved = _parts(group)
    scores = 2 * 2 * length * length * attended
    maps = group.width * (3 * attended + 2 * convolved)
    if convolved:
        kernel = _kernel(part)
        maps += group.width * kernel + convolved * ((group.heads // 2) * kernel + kernel)
    positions = length * length * (2 * attended + 4 * convolved) if group.relative else 0
    return 2 * length * maps + scores + positions


OPERATIONS.register("mixed-attention")(
    Kind(
        "mixed-attention",
        "attention beside dynamic convolution",
        {"kernel": Setting(KERNEL, least=1, odd=True, weight=0.01)},
        parameters=_parameters,
        flops=_flops,
    )
)


@MIXERS.register("mixed-attention")
class MixedAttention(Mixer):
    """Scaled dot-product attention in every second head, span-based convolution in the others.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        relative: Whether scores depend on distances and attention by distance is added.
        kernel: Tokens in the window of a convolution, an odd number.
    """

    axes: ClassVar = {
        "query.weight": ("even out", "<width"),
        "query.bias": ("even out",),
        "key.weight": ("even key", "<width"),
        "key.bias": ("even key",),
        "value.weight": ("even out", "<width"),
        "value.bias": ("even out",),
        "depthwise.weight": ("=width", "one", "kernel"),
        "pointwise.weight": ("odd out", "<width"),
        "pointwise.bias": ("odd out",),
        "taps.weight": ("odd tap", "<odd out"),
        "taps.bias": ("odd tap",),
        "moved.weight": ("odd out", "<width"),
        "moved.bias": ("odd out",),
    }
    unpads: ClassVar = True

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        *,
        relative: bool = False,
        kernel: int = KERNEL,
    ):
        super().__init__(width, heads, head_width, relative=relative)
        self.kernel, self.convolving = kernel, heads // 2
        attended, convolved = ((heads - heads // 2) * head_width, heads // 2 * head_width)
        self.query = nn.Linear(width, attended)
        self.key = nn.Linear(width, attended)
        self.value = nn.Linear(width, attended)
        self.depthwise = self.pointwise = self.taps = self.moved = None
        if convolved:
            self.depthwise = nn.Conv1d(width, width, kernel, groups=width, bias=False)
            self.pointwise = nn.Linear(width, convolved)
            self.taps = nn.Linear(convolved, heads // 2 * kernel)
            self.moved = nn.Linear(width, convolved)

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        if keep is not None:
            x = x * keep[..., None]
        attending = self.heads - self.convolving
        joined = self.query(x)
        query, key, value = (
            split_heads(t, attending) for t in (joined, self.key(x), self.value(x))
        )
        scaled = query / math.sqrt(self.head_width)
        scores = scaled @ key.mT
        if distances is not None:
            scores = scores + relative_scores(scaled, distances)
        attended = masked_softmax(scores, keep) @ value
        if not self.convolving:
            return attended.transpose(1, 2).flatten(2)
        convolved = self._convolve(x, joined, keep, distances)
        # head 0 attends, head 1 convolves, ...; of an odd number the last has nobody beside it
        both = torch.stack([attended[:, : self.convolving], convolved], 2).flatten(1, 2)
        mixed = torch.cat([both, attended[:, self.convolving :]], 1)
        return mixed.transpose(1, 2).flatten(2)

    def _convolve(
        self, x: Tensor, query: Tensor, keep: Tensor | None, distances: Tensor | None
    ) -> Tensor:
        """What the heads that convolve return, `(batch, heads, length, head_width)`."""
        query = query[..., : self.convolving * self.head_width]
        value = self.moved(x)
        if keep is not None:
            value = value * keep[..., None]
        span = self.pointwise(spanned(self.depthwise, x))
        taps = self.taps(span * query).unflatten(-1, (self.convolving, self.kernel)).softmax(-1)
        weights = banded(taps.transpose(1, 2))
        if distances is not None:
            own = split_heads(query, self.convolving)
            weights = weights + position_weights(own, distances, keep)
        return weights @ split_heads(value, self.convolving)
