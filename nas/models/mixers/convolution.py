"""Convolution heads: each token writes the kernel that is applied around it (`c_5`, `c_9`, ...).

Source: Jiang et al., "ConvBERT: Improving BERT with Span-based Dynamic Convolution", NeurIPS 2020.
Differs on purpose: all heads of the group are convolution heads (in ConvBERT half of them are
attention heads, which a heterogeneous layer chooses for itself); padding is masked before both
convolutions; no projections without a use.
"""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.mixers.base import MIXERS, Mixer, join_heads, split_heads
from nas.models.mixers.relative import position_weights


@MIXERS.register("c")
class SpanConvolution(Mixer):
    """Span-based dynamic convolution; with relative positions, attention by distance is added.

    The kernel of a token comes from its query times a summary of the span around it (a separable
    convolution of the input); the softmax of the kernel weighs the values in the window. Query and
    value share one Linear whose output is `[query; value]`.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        kernel: Tokens in the window, an odd number.
        relative: Whether attention by distance is added.
    """

    axes: ClassVar = {
        "query_value.weight": ("out+out", "<width"),
        "query_value.bias": ("out+out",),
        "depthwise.weight": ("=width", "one", "kernel"),
        "pointwise.weight": ("out", "<width"),
        "pointwise.bias": ("out",),
        "taps.weight": ("tap", "<out"),
        "taps.bias": ("tap",),
    }
    unpads: ClassVar = True

    def __init__(
        self, width: int, heads: int, head_width: int, kernel: int, *, relative: bool = False
    ):
        super().__init__(width, heads, head_width, relative=relative)
        assert kernel % 2 == 1, f"kernel {kernel}: architectures allow odd kernels only"
        self.kernel = kernel
        attended = heads * head_width
        self.query_value = nn.Linear(width, 2 * attended)
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width, bias=False)
        self.pointwise = nn.Linear(width, attended)
        self.taps = nn.Linear(attended, heads * kernel)

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        if keep is not None:
            x = x * keep[..., None]
        query, value = self.query_value(x).chunk(2, -1)
        if keep is not None:
            value = value * keep[..., None]
        span = self.pointwise(spanned(self.depthwise, x))
        taps = self.taps(span * query).unflatten(-1, (self.heads, self.kernel)).softmax(-1)
        weights = banded(taps.transpose(1, 2))
        if distances is not None:
            weights = weights + position_weights(split_heads(query, self.heads), distances, keep)
        return join_heads(weights @ split_heads(value, self.heads))


def spanned(depthwise: nn.Conv1d, x: Tensor) -> Tensor:
    """Apply a kernel for each feature around every token, `(batch, length, width)`."""
    # As a picture of height 1: torch has no fast depthwise path for one dimension on a CPU.
    picture = x.transpose(1, 2).unsqueeze(2)
    weight = depthwise.weight.unsqueeze(2)
    padding = (0, weight.shape[-1] // 2)
    mixed = F.conv2d(picture, weight, padding=padding, groups=depthwise.groups)
    return mixed.squeeze(2).transpose(1, 2)


def banded(taps: Tensor) -> Tensor:
    """Matrices whose product with a sequence applies one kernel per position, zeros outside.

    Args:
        taps: `(batch, heads, length, kernel)`; the middle one weighs the token itself.

    Returns:
        `(batch, heads, length, length)`; row i holds its kernel around column i.
    """
    length, kernel = taps.shape[-2:]
    # Zeros after each row, then one number less per row: each kernel moves one place to the right.
    rows = F.pad(taps, (0, length)).flatten(2)[..., : length * (length + kernel - 1)]
    rows = rows.unflatten(-1, (length, length + kernel - 1))
    return rows[..., kernel // 2 : kernel // 2 + length]
