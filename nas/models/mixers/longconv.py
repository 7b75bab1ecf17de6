"""Gated long convolutions: every feature has a kernel over the whole sequence, made by a network.

Source: Poli et al., "Hyena Hierarchy: Towards Larger Convolutional Language Models", ICML 2023
(gating, implicit kernels); Fu et al., "Monarch Mixer: A Simple Sub-Quadratic GEMM-Based
Architecture", NeurIPS 2023 (both directions); Fu et al., "FlashFFTConv", ICLR 2024 (kernels of the
first lags alone, or of low frequencies alone).
Differs on purpose: padding is masked; the short convolution looks both ways; lags are measured in
tokens, and frequencies are those of a kernel over its own taps, so that a kernel does not depend on
the length of its sequence; a kernel's decay depends on
the feature's place in its head; the layer's own map is the output projection; the short convolution
is added to what it reads and gates are 1 plus what is written, so that weights that start small
pass the values on: as published, three small numbers are multiplied and hardly anything is learned.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.mixers.base import MIXERS, Mixer, exporting, join_heads, split_heads
from nas.models.mixers.relative import position_weights
from search_spaces.kinds import Kind
from search_spaces.operations import OPERATIONS, HeadGroup
from search_spaces.parts import Part, Setting, Value

SHORT = 3  # tokens in the window of the short convolution
FEATURES = 5  # of a lag: itself, and two waves
FREQUENCY = 10.0  # of the sines in the network
DECAY = (0.3, 4.0)  # slowest and fastest fall of a kernel over its taps, as an exponent
SETTINGS = {
    "filter": Setting(64, weight=0.01),
    "taps": Setting(128, least=2, weight=0.01),
    "frequencies": Setting(1.0, "line", most=1, weight=0.01),
}


def _setting(part: Part, name: str) -> Value:
    return dict(part.settings).get(name, SETTINGS[name].default)


def _parameters(group: HeadGroup, part: Part) -> int:
    hidden = _setting(part, "filter")
    network = (FEATURES + 1) * hidden + (hidden + 1) * hidden + hidden * group.inner
    return 3 * group.projection + 3 * SHORT * group.inner + 2 * network + group.inner


def _flops(group: HeadGroup, part: Part, length: int) -> int:
    hidden = _setting(part, "filter")
    maps = group.width * 3 * group.inner + 3 * SHORT * group.inner
    network = 2 * (FEATURES * hidden + hidden * hidden + hidden * group.inner)
    points = 2 * length  # three fast transforms, the customary 5 N log2 N each
    transforms = 3 * group.inner * round(5 * points * math.log2(points))
    positions = 4 * length * length * group.inner if group.relative else 0
    lags = length
    if _setting(part, "frequencies") < 1:  # the kernel as a whole, times a matrix
        lags = _setting(part, "taps")
        transforms += 2 * (2 * lags) ** 2 * group.inner
    return (
        2 * length * maps + 2 * lags * network + transforms + 4 * length * group.inner + positions
    )


OPERATIONS.register("longconv")(
    Kind(
        "longconv",
        "gated long convolution",
        SETTINGS,
        parameters=_parameters,
        flops=_flops,
        kept=lambda group, part: 16 * group.inner,
    )
)


class KernelNetwork(nn.Module):
    """Kernels as a smooth function of the lag, one for each feature.

    Args:
        heads: Number of heads.
        head_width: Features of each head.
        hidden: Features inside the network.
        taps: Lags below it have a weight.
    """

    def __init__(self, heads: int, head_width: int, hidden: int, taps: int):
        super().__init__()
        self.heads, self.head_width, self.taps = heads, head_width, taps
        self.first = nn.Linear(FEATURES, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, heads * head_width, bias=False)

    def forward(self, length: int, nearest: int) -> Tensor:
        """Return the weights of `length` lags from `nearest` on, `(length, features)`."""
        weight = self.last.weight
        # sines of large numbers need more digits than half precision has
        with torch.autocast(weight.device.type, enabled=False):
            lag = torch.arange(length, device=weight.device).to(weight.dtype)[:, None] + nearest
            return self._weigh(lag)

    def _weigh(self, lag: Tensor) -> Tensor:
        place = lag / self.taps
        waves = [f(k * math.pi * place) for k in (1, 2) for f in (torch.cos, torch.sin)]
        x = torch.cat([place, *waves], -1)
        x = torch.sin(FREQUENCY * self.first(x))
        x = self.last(torch.sin(FREQUENCY * self.second(x)))
        slow, fast = (math.log(bound) for bound in DECAY)
        spread = torch.linspace(slow, fast, self.head_width, device=x.device, dtype=x.dtype)
        decay = torch.exp(-place * spread.exp().repeat(self.heads))
        return x * decay * (lag < self.taps)


@MIXERS.register("longconv")
class LongConvolution(Mixer):
    """`(1 + gate) * kernel over ((1 + opening) * value)`, the kernel looking both ways.

    With relative positions, attention by distance is added, whose query is the gate.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        relative: Whether attention by distance is added.
        filter: Features inside the network that makes the kernels.
        taps: Tokens to each side that a kernel reaches, its own included.
        frequencies: Share of a kernel's frequencies that is kept, from the lowest on.
    """

    axes: ClassVar = {
        "projection.weight": ("out+out+out", "<width"),
        "projection.bias": ("out+out+out",),
        "short.weight": ("=out+out+out", "one", str(SHORT)),
        "skip": ("=out",),
    } | {
        f"{side}.{name}": words
        for side in ("forwards", "backwards")
        for name, words in {
            "first.weight": ("filter", str(FEATURES)),
            "first.bias": ("filter",),
            "second.weight": ("filter", "<filter"),
            "second.bias": ("filter",),
            "last.weight": ("=out", "<filter"),
        }.items()
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
        frequencies: float = SETTINGS["frequencies"].default,
    ):
        super().__init__(width, heads, head_width, relative=relative)
        self.taps, self.frequencies = taps, frequencies
        features = heads * head_width
        self.projection = nn.Linear(width, 3 * features)
        self.short = nn.Conv1d(
            3 * features, 3 * features, SHORT, padding=SHORT // 2, groups=3 * features, bias=False
        )
        self.forwards = KernelNetwork(heads, head_width, filter, taps)
        self.backwards = KernelNetwork(heads, head_width, filter, taps)
        self.skip = nn.Parameter(torch.ones(features))

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        projected = self.projection(x)
        if keep is not None:
            projected = projected * keep[..., None]
        short = projected + self.short(projected.transpose(1, 2)).transpose(1, 2)
        gate, opening, value = short.chunk(3, -1)
        signal = (1 + opening) * value
        if keep is not None:
            signal = signal * keep[..., None]
        length = x.shape[1]
        lags = length if self.frequencies == 1 else self.taps
        ahead, behind = self.forwards(lags, 0), self.backwards(lags, 1)
        if self.frequencies < 1:
            ahead, behind = low_frequencies(ahead, behind, self.frequencies, length)
        mixed = (1 + gate) * (convolve(signal, ahead, behind) + self.skip * signal)
        if distances is None:
            return mixed
        weights = position_weights(split_heads(gate, self.heads), distances, keep)
        return mixed + join_heads(weights @ split_heads(value, self.heads))


def kept_frequencies(share: float, taps: int) -> int:
    """Return how many frequencies of a kernel of both sides are kept, of one more than its taps."""
    return max(1, round(share * (taps + 1)))


def low_frequencies(
    ahead: Tensor, behind: Tensor, share: float, length: int
) -> tuple[Tensor, Tensor]:
    """Return a kernel of both sides without its higher frequencies, for `length` lags of each.

    The kernel is a circle of twice its taps.

    Args:
        ahead: Weights of the lags from 0 on, `(taps, features)`.
        behind: Weights of the lags to the other side from 1 on, `(taps, features)`.
        share: How many frequencies are kept, of all.
        length: Lags wanted of each side; those beyond the taps weigh nothing.
    """
    taps = len(ahead)
    points = 2 * taps
    lag = torch.arange(points, device=ahead.device)
    wave = torch.arange(kept_frequencies(share, taps), device=ahead.device)
    turns = (lag[:, None] * wave) % points  # whole numbers: exact at any number of taps
    amount = torch.where((wave == 0) | (wave == taps), 1.0, 2.0).double()
    row = (torch.cos(turns.double() * (2 * math.pi / points)) * amount).sum(1) / points
    matrix = row[(lag[:, None] - lag) % points].to(ahead.dtype)
    with torch.autocast(ahead.device.type, enabled=False):
        circle = matrix @ torch.cat([ahead, behind.flip(0)])
    rest = (0, 0, 0, max(length - taps, 0))
    ahead, behind = F.pad(circle[:taps], rest), F.pad(circle[taps:].flip(0), rest)
    return ahead[:length], behind[:length]


def convolve(signal: Tensor, ahead: Tensor, behind: Tensor) -> Tensor:
    """Apply a kernel to each feature: `ahead[t]` weighs t tokens earlier, `behind[t]` t + 1 later.

    Args:
        signal: `(batch, length, features)`.
        ahead: `(length, features)`.
        behind: `(length, features)`; its last lag reaches nothing.

    Returns:
        `(batch, length, features)`, of the type of `signal`.
    """
    length = signal.shape[1]
    if exporting():  # graphs for other runtimes have no Fourier transforms
        kernel = torch.cat([behind.flip(0), ahead])
        place = torch.arange(length, device=signal.device)
        rows = kernel[place[:, None] - place + length]
        return torch.einsum("ijf,bjf->bif", rows.to(signal.dtype), signal)
    # rows 0 to length - 1 of the circle are lags, its end the lags to the other side
    exact = torch.promote_types(signal.dtype, torch.float32)
    zero = ahead.new_zeros(1, ahead.shape[1])
    kernel = torch.cat([ahead, zero, behind[: length - 1].flip(0)]).to(exact)
    spectrum = torch.fft.rfft(signal.to(exact), n=2 * length, dim=1)
    mixed = torch.fft.irfft(spectrum * torch.fft.rfft(kernel, dim=0), n=2 * length, dim=1)
    return mixed[:, :length].to(signal.dtype)
