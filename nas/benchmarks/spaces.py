"""The benchmark of design spaces: each figure beside its goal, all from one run."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

from nas.benchmarks.space_distances import PairTimes, time_large_pairs, time_small_pairs
from nas.benchmarks.space_scale import Scale, embed_library, embed_sample

Result = TypeVar("Result")

SMALL_PAIRS = 20


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        what: What was done.
        ours: What it took.
        peer: What networkx took, where it was run.
        ratio: How many times faster ours is; or how ours grows, which a constant part hides.
        goal: What was asked.
        met: "yes" or "no"; empty without a goal.
    """

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    goal: str = ""
    met: str = ""


def run_benchmark(
    *, quick: bool, largest: int, landmarks: int, threads: int, seed: int
) -> Iterator[Figure]:
    """Yield the figures as they are measured, each job in a process of its own.

    Args:
        quick: Leave out the pair for which networkx takes ten seconds or more.
        largest: Largest number of sampled architectures; smaller ones are its tenths down to 10^4.
        landmarks: Of how many all pairs of distances are computed.
        threads: How many work at once.
        seed: Of everything drawn.
    """
    pairs = _apart(time_small_pairs, SMALL_PAIRS, seed)
    yield from _pair_lines("4-layer pair", pairs, 1e4)
    if not quick:
        pairs = _apart(time_large_pairs, 1, seed)
        yield from _pair_lines("12-layer, 12-head pair", pairs, 1e5)
    library = _apart(embed_library, threads, seed)
    count = library.size * (library.size - 1) // 2
    what = f"the library of {library.size:,}: {count:,} distances, 16-d embedding"
    yield _limit(what, library, 60)
    yield from _placing_lines("the library", library)
    before = None
    for n in _sizes(largest):
        scale = _apart(embed_sample, n, landmarks, threads, seed)
        yield from _scale_lines(scale, before)
        before = scale
    yield from _placing_lines(f"{before.size:,} sampled", before)


def _apart(job: Callable[..., Result], *given: int) -> Result:
    # a process for each, so that the peaks of memory do not mix
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(job, *given).result()


def _sizes(largest: int) -> list[int]:
    sizes = [largest]
    while sizes[0] >= 100_000:
        sizes.insert(0, sizes[0] // 10)
    return sizes


def _pair_lines(what: str, found: dict[str, PairTimes], goal: float) -> Iterator[Figure]:
    for name, times in found.items():
        for how, seconds in (
            ("single call", times.known),
            ("among many pairs", times.batch),
            ("first call with these layers", times.new),
        ):
            ratio = times.networkx / seconds
            yield Figure(
                f"{what}, {name}, {how}",
                f"{seconds * 1e6:,.2f} us",
                f"{times.networkx * 1e3:,.1f} ms",
                f"{ratio:,.0f} x",
                f"{goal:,.0f} x",
                _met(ratio >= goal),
            )
    times = found["published"]
    yield Figure(
        f"{what}, published, order kept: at most networkx's first value", f"{times.below:.0%}"
    )
    if times.search:
        yield Figure(
            f"{what}, published, order free (the default): at most networkx's first value",
            f"{times.search_below:.0%}, in {times.search * 1e3:,.0f} ms",
            f"{times.networkx * 1e3:,.1f} ms",
            f"{times.networkx / times.search:,.2f} x",
        )


def _limit(what: str, scale: Scale, seconds: float, ratio: str = "") -> Figure:
    return Figure(
        what,
        f"{scale.seconds:,.1f} s ({scale.cpu:,.1f} s CPU), {scale.peak:.2f} GB",
        ratio=ratio,
        goal=f"{seconds:,.0f} s",
        met=_met(scale.seconds < seconds),
    )


def _scale_lines(scale: Scale, before: Scale | None) -> Iterator[Figure]:
    growth = ""
    if before:
        each = (scale.cpu - before.cpu) / (scale.size - before.size)
        growth = f"{each * 1e6:.0f} us CPU for each more"
    what = f"{scale.size:,} of FlexiBERT 2.0: drawn, hashed, told apart, placed"
    yield _limit(what, scale, 600, growth)
    yield Figure(
        f"{scale.size:,} of FlexiBERT 2.0: peak memory",
        f"{scale.peak:.2f} GB",
        goal="4 GB",
        met=_met(scale.peak < 4),
    )


def _placing_lines(where: str, scale: Scale) -> Iterator[Figure]:
    yield Figure(f"{where}: stress of the points, a thousand of them", f"{scale.stress:.3f}")
    for how, took in (
        ("among a thousand", scale.placing.batch),
        ("alone", scale.placing.single),
    ):
        what = f"{where}: a new architecture placed, {how}"
        yield Figure(what, f"{took:.3f} ms", goal="1 ms", met=_met(took < 1))
    yield Figure(f"{where}: the nearest to a point", f"{scale.placing.nearest:.3f} ms")


def _met(met: bool) -> str:  # noqa: FBT001  the one thing it is about
    return "yes" if met else "no"
