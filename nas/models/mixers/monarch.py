"""The sequence mixer of M2-BERT: a gated long convolution beside a plain one, by Monarch matrices.

Source: Fu et al., "Monarch Mixer: A Simple Sub-Quadratic GEMM-Based Architecture", NeurIPS 2023;
Fu et al., "FlashFFTConv: Efficient Convolutions for Long Sequences with Tensor Cores", ICLR 2024
(a Fourier transform as two products with small matrices).
Differs on purpose: padding is masked, which published code lets in; the short convolution looks
both ways and is added to what it reads; kernels are those of `longconv`, of lags in tokens; the
plain convolution reads the values, because a group of heads is not as wide as its layer; the
layer's own map, residual sum and norm stay around it.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.models.mixers.base import MIXERS, Mixer, exporting, join_heads, split_heads
from nas.models.mixers.longconv import FEATURES, SHORT, KernelNetwork, LongConvolution, convolve
from nas.models.mixers.relative import position_weights
from search_spaces.kinds import Kind
from search_spaces.operations import OPERATIONS, HeadGroup
from search_spaces.parts import Part, Setting

TRANSFORMS = ("fft", "matrices")
SETTINGS = {
    "filter": Setting(128, weight=0.01),
    "taps": Setting(128, least=2, weight=0.01),
    # the same numbers by another way, for devices whose matrix units are faster
    "transform": Setting("fft", "name", TRANSFORMS, weight=0.001),
}


def _settings(part: Part) -> tuple[int, str]:
    given = dict(part.settings)
    return given.get("filter", SETTINGS["filter"].default), given.get("transform", "fft")


def _parameters(group: HeadGroup, part: Part) -> int:
    hidden, _ = _settings(part)
    network = (FEATURES + 1) * hidden + (hidden + 1) * hidden + hidden * group.inner
    return 3 * group.projection + 3 * SHORT * group.inner + 4 * network + group.inner


def _flops(group: HeadGroup, part: Part, length: int) -> int:
    hidden, transform = _settings(part)
    maps = group.width * 3 * group.inner + 3 * SHORT * group.inner
    network = 4 * (FEATURES * hidden + hidden * hidden + hidden * group.inner)
    points = 2 * length  # two signals, two kernels, two results
    each = round(5 * points * math.log2(points))
    if transform == "matrices":  # complex numbers: four products and four sums
        rows, columns = factors(points)
        each = 8 * rows * columns * (rows + columns)
    positions = 4 * length * length * group.inner if group.relative else 0
    return (
        2 * length * (maps + network)
        + 6 * each * group.inner
        + 6 * length * group.inner
        + positions
    )


OPERATIONS.register("monarch")(
    Kind(
        "monarch",
        "Monarch mixer",
        SETTINGS,
        parameters=_parameters,
        flops=_flops,
        kept=lambda group, part: 20 * group.inner,
    )
)


def factors(points: int) -> tuple[int, int]:
    """Return two numbers, powers of 2 and nearly equal, whose product is `points` at least."""
    exponent = max(points - 1, 1).bit_length()
    return 1 << exponent // 2, 1 << exponent - exponent // 2


def _roots(rows: int, columns: int, points: int, like: Tensor) -> Tensor:
    """`exp(-2 pi i r c / points)`, `(rows, columns)`, complex and as exact as `like`."""
    row, column = (torch.arange(n, device=like.device) for n in (rows, columns))
    angle = ((row[:, None] * column) % points).double() * (2 * math.pi / points)
    kind = torch.complex128 if like.dtype == torch.float64 else torch.complex64
    return torch.polar(torch.ones_like(angle), -angle).to(kind)


def monarch_transform(x: Tensor, rows: int, columns: int, *, inverse: bool = False) -> Tensor:
    """Discrete Fourier transform over tokens as two products with small matrices.

    Place `columns * a + b` of the tokens is read as row a and column b of a picture; frequency
    `c + rows * e` stands in row c and column e. So a product with another transform and the inverse
    need no reordering.

    Args:
        x: Of tokens `(..., rows * columns, features)`, real or complex; or, for the inverse,
            frequencies `(..., rows, columns, features)`.
        rows: One factor of the number of tokens.
        columns: The other one.
        inverse: Whether frequencies become tokens.
    """
    points = rows * columns
    like = x.real if x.is_complex() else x
    down, across = _roots(rows, rows, rows, like), _roots(columns, columns, columns, like)
    twiddle = _roots(rows, columns, points, like)[..., None]
    if inverse:
        x = torch.einsum("...cef,eb->...cbf", x, across.conj()) * twiddle.conj()
        return torch.einsum("...cbf,ca->...abf", x, down.conj()).flatten(-3, -2) / points
    x = x.unflatten(-2, (rows, columns)).to(down.dtype)
    x = torch.einsum("...abf,ac->...cbf", x, down) * twiddle
    return torch.einsum("...cbf,be->...cef", x, across)


def convolve_by_matrices(signal: Tensor, ahead: Tensor, behind: Tensor) -> Tensor:
    """Return what `convolve` does, by Monarch matrices."""
    if exporting():
        return convolve(signal, ahead, behind)
    length = signal.shape[1]
    rows, columns = factors(2 * length)
    points = rows * columns
    exact = torch.promote_types(signal.dtype, torch.float32)
    with torch.autocast(signal.device.type, enabled=False):
        zeros = ahead.new_zeros(points - 2 * length + 1, ahead.shape[1])
        kernel = torch.cat([ahead, zeros, behind[: length - 1].flip(0)]).to(exact)
        padded = nn.functional.pad(signal.to(exact), (0, 0, 0, points - length))
        spectrum = monarch_transform(padded, rows, columns)
        spectrum = spectrum * monarch_transform(kernel, rows, columns)
        mixed = monarch_transform(spectrum, rows, columns, inverse=True)
    return mixed.real[:, :length].to(signal.dtype)


@MIXERS.register("monarch")
class MonarchMixer(Mixer):
    """`gate * kernel over (opening * value)`, plus another kernel over the values alone.

    With relative positions, attention by distance is added, whose query is the gate.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        relative: Whether attention by distance is added.
        filter: Features inside the networks that make the kernels.
        taps: Tokens to each side that a kernel reaches, its own included.
        transform: A name in `TRANSFORMS`: how convolutions are computed.
    """

    axes: ClassVar = LongConvolution.axes | {
        f"plain_{name}": words
        for name, words in LongConvolution.axes.items()
        if name.startswith(("forwards", "backwards"))
    }
    unpads: ClassVar = True

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        *,
        relative: bool = False,
        filter: int = SETTINGS["filter"].default,  # noqa: A002 - the name of the setting
        taps: int = SETTINGS["taps"].default,
        transform: str = TRANSFORMS[0],
    ):
        super().__init__(width, heads, head_width, relative=relative)
        features = heads * head_width
        self.convolve = convolve if transform == "fft" else convolve_by_matrices
        self.projection = nn.Linear(width, 3 * features)
        self.short = nn.Conv1d(
            3 * features, 3 * features, SHORT, padding=SHORT // 2, groups=3 * features, bias=False
        )
        self.forwards, self.backwards, self.plain_forwards, self.plain_backwards = (
            KernelNetwork(heads, head_width, filter, taps) for _ in range(4)
        )
        self.skip = nn.Parameter(torch.ones(features))

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        projected = self.projection(x)
        if keep is not None:
            projected = projected * keep[..., None]
        short = projected + self.short(projected.transpose(1, 2)).transpose(1, 2)
        gate, opening, value = short.chunk(3, -1)
        signal, plain = opening * value, projected.chunk(3, -1)[2]
        if keep is not None:
            signal = signal * keep[..., None]
        length = x.shape[1]
        gated = self.convolve(signal, self.forwards(length, 0), self.backwards(length, 1))
        rest = self.convolve(plain, self.plain_forwards(length, 0), self.plain_backwards(length, 1))
        mixed = gate * (gated + self.skip * signal) + rest
        if distances is None:
            return mixed
        weights = position_weights(split_heads(gate, self.heads), distances, keep)
        return mixed + join_heads(weights @ split_heads(value, self.heads))
