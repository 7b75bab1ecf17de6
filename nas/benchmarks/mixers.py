"""Seconds and memory of mixers over the length, and of feed-forwards beside the usual one.

Each mixer stands alone, with every head of a layer; beside them the same projections around torch's
fused attention.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.benchmarks.training_speed import seconds_side_by_side
from nas.evaluation.cost import LiveBytes
from nas.models.auxiliary import take_auxiliary
from nas.models.feedforwards import feed, make_feedforward
from nas.models.mixers import Mixer, make_mixer
from search_spaces.errors import InvalidData
from search_spaces.kinds import SLOTS
from search_spaces.operations import OPERATIONS, write_kind
from search_spaces.parts import read_kind

PEER = "sdpa"
FROM = 1_024  # tokens from which on a slope is taken
HEAD_WIDTH = 64


@dataclass(frozen=True)
class Pass:
    """Forward and backward through one module.

    Attributes:
        slot: "mixer" or "feedforward"; "padded" or "unpadded" of a mixer inside an encoder.
        kind: What stood there.
        length: Tokens of a sequence.
        seconds: Of the processor (on a GPU, until it has finished); the median.
        peak_mb: 10^6 bytes of tensors alive at once, beside parameters and input.
        ratio: Of seconds, over the fused attention's, the usual feed-forward's or the padded.
    """

    slot: str
    kind: str
    length: int
    seconds: float
    peak_mb: float
    ratio: float


class FusedAttention(Mixer):
    """The peer: torch's fused attention between the projections that all have."""

    def __init__(self, width: int, heads: int, head_width: int):
        super().__init__(width, heads, head_width)
        self.query_key_value = nn.Linear(width, 3 * heads * head_width)

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        joined = self.query_key_value(x).unflatten(-1, (3, self.heads, self.head_width))
        query, key, value = (part.transpose(1, 2) for part in joined.unbind(2))
        mixed = F.scaled_dot_product_attention(query, key, value)
        return mixed.transpose(1, 2).flatten(2)


def mixer_kinds() -> list[str]:
    """Return every kind of head with its parameter or its settings at their default."""
    found = []
    for name, kind in OPERATIONS.items():
        bare = kind.settings[kind.bare] if kind.bare else None
        for parameter in (bare.allowed or (bare.default,)) if bare else ("",):
            found.append(write_kind(name, parameter))
    return found


def feedforward_kinds() -> list[str]:
    """Return every feed-forward, the usual one first, and those of other names of a setting."""
    found = []
    for name, kind in SLOTS["feedforward"].kinds.items():
        found.append(name)
        for setting, knob in kind.settings.items():
            if knob.scale == "name":
                found += [str(kind.part({setting: n})) for n in knob.allowed if n != knob.default]
    return sorted(found, key=lambda text: text != "mlp")


def mixer_passes(
    kinds: Sequence[str],
    lengths: Sequence[int],
    *,
    width: int,
    repeats: int,
    device: torch.device,
    most_seconds: float = math.inf,
) -> Iterator[Pass]:
    """Measure mixers on one sequence of each length, shortest first; all take turns.

    Args:
        kinds: Such as "sa_sdp" and "hedgehog".
        lengths: Tokens.
        width: Of the hidden states; heads are 64 wide.
        repeats: How often each is timed.
        device: Where.
        most_seconds: A mixer whose pass took longer is left out of longer sequences.
    """
    heads = max(width // HEAD_WIDTH, 1)
    made = {PEER: FusedAttention(width, heads, width // heads)}
    made |= {kind: make_mixer(*read_kind(kind), width, heads, width // heads) for kind in kinds}
    made = {kind: mixer.to(device) for kind, mixer in made.items()}
    for length in sorted(lengths):
        x = torch.randn(1, length, width, device=device, requires_grad=True)
        calls = {kind: _pass(lambda x, m=mixer: m(x, None), x) for kind, mixer in made.items()}
        for row in measured("mixer", calls, PEER, length, repeats, device):
            yield row
            if row.seconds > most_seconds:
                del made[row.kind]
        if PEER not in made:
            return


def feedforward_passes(
    kinds: Sequence[str],
    *,
    length: int,
    batch: int,
    width: int,
    repeats: int,
    device: torch.device,
) -> Iterator[Pass]:
    """Measure feed-forwards, four times as wide inside, beside the first of them."""
    slot = SLOTS["feedforward"]
    made = {k: make_feedforward(slot.read(k), width, (4 * width,)).to(device) for k in kinds}
    x = torch.randn(batch, length, width, device=device, requires_grad=True)
    calls = {k: _pass(lambda x, m=m: feed(m, x, None), x, m) for k, m in made.items()}
    yield from measured("feedforward", calls, kinds[0], length, repeats, device)


def _pass(call: Callable[[Tensor], Tensor], x: Tensor, module: nn.Module | None = None):
    def run(_: int) -> None:
        loss = call(x).float().sum()
        wanted = None if module is None else take_auxiliary([module])
        (loss if wanted is None else loss + wanted).backward()

    return run


def measured(
    slot: str,
    calls: dict[str, Callable[[int], None]],
    peer: str,
    length: int,
    repeats: int,
    device: torch.device,
) -> list[Pass]:
    """Return a row for each call, named as it is; ratios are to the call of the name `peer`."""
    seconds = seconds_side_by_side(calls, repeats, device)
    rows = []
    for kind, call in calls.items():
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            call(0)
            peak = torch.cuda.max_memory_allocated(device) - before
        else:
            with LiveBytes() as live:
                call(0)
            peak = live.peak
        rows.append(
            Pass(slot, kind, length, seconds[kind], peak / 1e6, seconds[kind] / seconds[peer])
        )
    return rows


def slope(rows: Sequence[Pass]) -> float | None:
    """Return the slope of log seconds on log length from `FROM` tokens on; None of one length."""
    rows = [row for row in rows if row.length >= FROM]
    if len({row.length for row in rows}) < 2:
        return None
    logs = np.log([(row.length, row.seconds) for row in rows])
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def crossing(rows: Sequence[Pass]) -> int | None:
    """Return the length from which on a mixer is faster than the peer; None for nowhere."""
    found = None
    for row in sorted(rows, key=lambda row: row.length):
        if row.ratio >= 1:
            found = None
        elif found is None:
            found = row.length
    return found


def doubled(longest: int, first: int = 128) -> list[int]:
    """Return the lengths from 128 to `longest`, each twice the one before.

    Raises:
        InvalidData: If the longest is shorter than the first.
    """
    if longest < first:
        raise InvalidData(f"The longest sequence has {longest} tokens. Give {first} or more.")
    return [first << k for k in range((longest // first).bit_length())]
