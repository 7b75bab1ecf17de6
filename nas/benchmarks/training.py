"""The benchmark of training: each figure beside its peer and its goal, all from one run."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from nas.benchmarks.training_gpu import MODELS, matrix_rate, utilisation
from nas.benchmarks.training_memory import SIDES, peak_bytes
from nas.benchmarks.training_speed import (
    KINDS,
    latency_seconds,
    mixed_head_seconds,
    mixed_ratio,
    training_seconds,
)
from nas.data.prepared import EncodedSplit
from search_spaces import Architecture, named_architecture

# Goals: times the peer's tokens on a CPU by precision, and on a GPU; the others are ratios at most.
TOKENS_GOAL, GPU_TOKENS_GOAL = {"fp32": 2.3, "bf16": 3.0}, 2.0
LATENCY_GOAL, MIXED_GOAL, MEMORY_GOAL, UTILISATION_GOAL = 1.0, 1.3, 1.2, 0.5
PRECISIONS = tuple(TOKENS_GOAL)


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        what: What was measured.
        ours: Its value here.
        peer: Its value there.
        unit: Of both.
        ratio: What is compared with the goal.
        goal: What was asked; None where nothing was.
        larger: Whether `ratio` has to be at least the goal, not at most.
    """

    what: str
    ours: float
    peer: float | None = None
    unit: str = ""
    ratio: float | None = None
    goal: float | None = None
    larger: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio >= self.goal if self.larger else self.ratio <= self.goal


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        architecture: Name of the homogeneous encoder that is compared with `BertModel`.
        repeats: How often each side is timed; medians count.
        latency_calls: Forward passes in one timing.
        mixed: Pairs of width and heads of the layers of mixed heads.
        memory_length: Tokens of each sequence where memory is measured.
    """

    architecture: str = "bert-mini"
    repeats: int = 7
    latency_calls: int = 20
    mixed: tuple[tuple[int, int], ...] = ((256, 4), (768, 12))
    memory_length: int = 128


QUICK = Size("bert-tiny", repeats=1, latency_calls=2, mixed=((64, 4),), memory_length=16)


def run_benchmark(
    split: EncodedSplit, size: Size, device: torch.device, note: Callable[[str], None]
) -> Iterator[Figure]:
    """Yield the figures as they are measured.

    Args:
        split: The examples both sides train on.
        size: How much is measured.
        device: "cpu" or "cuda".
        note: Called with what is left out and why.
    """
    architecture = named_architecture(size.architecture)
    tokens = float(split.offsets[-1])
    seconds = {}
    for precision in PRECISIONS:
        found = training_seconds(architecture, split, precision, size.repeats, device)
        seconds[precision] = found
        yield from _training_lines(size.architecture, precision, tokens, found, device)
    yield Figure(
        f"{size.architecture}, training, ours in bf16 beside BertModel in fp32",
        tokens / seconds["bf16"]["ours"],
        tokens / seconds["fp32"]["bert"],
        "tokens/s",
        seconds["fp32"]["bert"] / seconds["bf16"]["ours"],
    )
    for length in (24, 128):
        found = latency_seconds(architecture, length, size.latency_calls, size.repeats, device)
        ours, bert = 1e3 * found["ours"], 1e3 * found["bert"]
        what = f"{size.architecture}, inference, 1 sequence of {length} tokens"
        yield Figure(what, ours, bert, "ms", ours / bert, LATENCY_GOAL)
    for width, heads in size.mixed:
        for precision in PRECISIONS:
            found = mixed_head_seconds(width, heads, precision, size.repeats, device)
            yield from _mixed_lines(f"layer of {heads} heads, width {width}, {precision}", found)
    for precision in PRECISIONS:
        yield from _memory_lines(size, architecture, precision)
    if device.type == "cuda":
        yield from _utilisation_lines(device)
    else:
        note("FLOPs utilisation: left out, torch sees no CUDA device here.")


def _training_lines(
    name: str, precision: str, tokens: float, found: Mapping[str, float], device: torch.device
) -> Iterator[Figure]:
    goal = GPU_TOKENS_GOAL if device.type == "cuda" else TOKENS_GOAL[precision]
    for side, wanted in (("bert", goal), ("bert, torch's AdamW", None)):
        peer = "BertModel" if side == "bert" else "BertModel with torch's default AdamW"
        yield Figure(
            f"{name}, training, {precision}, beside {peer}",
            tokens / found["ours"],
            tokens / found[side],
            "tokens/s" if device.type == "cuda" else "tokens/CPU s",
            found[side] / found["ours"],
            wanted,
            larger=True,
        )


def _mixed_lines(what: str, found: Mapping[str, float]) -> Iterator[Figure]:
    pure = [1e3 * found[kind] for kind in KINDS]
    mixed = 1e3 * found["mixed"]
    yield Figure(
        f"{what}: 4 kinds beside the mean of pure ones",
        mixed,
        sum(pure) / len(pure),
        "ms",
        mixed_ratio(found),
        MIXED_GOAL,
    )
    for kind, own in zip(KINDS, pure, strict=True):
        yield Figure(f"{what}: {kind} alone", own, unit="ms")


def _memory_lines(size: Size, architecture: Architecture, precision: str) -> Iterator[Figure]:
    found = {side: peak_bytes(architecture, side, precision, size.memory_length) for side in SIDES}
    for kind in (k for k in found["ours"] if all(k in found[side] for side in SIDES)):
        ours = found["ours"][kind]
        bert = min(found[side][kind] for side in SIDES if side != "ours")
        what = f"{size.architecture}, training step, {precision}, peak memory of the {kind}"
        yield Figure(what, ours, bert, "MB", ours / bert, MEMORY_GOAL)


def _utilisation_lines(device: torch.device) -> Iterator[Figure]:
    rate = matrix_rate(device)
    for name, (count, length) in MODELS.items():
        found = utilisation(name, device, rate)
        share = found.achieved / found.rate
        goal = UTILISATION_GOAL if name == "bert-base" else None
        what = f"{name}, pre-training, {count} x {length} tokens, bf16: of the matrix rate"
        yield Figure(what, found.achieved / 1e12, rate / 1e12, "TFLOP/s", share, goal, larger=True)
