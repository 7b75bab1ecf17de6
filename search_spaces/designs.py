"""Initial designs: the first architectures of a search, spread evenly over every choice.

Source: McKay, Beckman and Conover, "A comparison of three methods for selecting values of input
variables in the analysis of output from a computer code", Technometrics 1979 (Latin hypercubes);
Sobol', "On the distribution of points in a cube and the approximate evaluation of integrals", 1967,
scrambled as in Owen, "Scrambling Sobol' and Niederreiter-Xing points", 1998; Kennard and Stone,
"Computer aided design of experiments", Technometrics 1969 (maximin).
Differs on purpose: a choice that exists only after others, such as those of a fourth stack, is
spread over the architectures that have it, so that each choice is even where it is made.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from scipy.stats import qmc

from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.registry import Registry
from search_spaces.space import Space

Accept = Callable[[Architecture], bool]
Design = Callable[[Space, int, int, Accept | None], list[Architecture]]
# name of a decision and the rows of the design that meet it -> their order along that choice
Order = Callable[[str, list[int]], np.ndarray]

DESIGNS: Registry[Design] = Registry("design", "nas.designs")
PATIENCE = 2_000  # draws in a row without anything new before the rest is drawn uniformly
POOL = 2_000  # most architectures a maximin design chooses among


def initial_design(
    space: Space,
    n: int,
    seed: int = 0,
    design: str = "latin-hypercube",
    *,
    accept: Accept | None = None,
) -> list[Architecture]:
    """Return `n` distinct architectures of a space to begin a search with.

    "latin-hypercube" and "sobol" choose the depth evenly from those allowed, then for each stack
    its width, heads, kinds and feed-forward; `Space.sample` is uniform over architectures instead,
    nearly all of which are as deep as the space allows. A space that does not say how its
    architectures are made (a `FiniteSpace`, one of a user's own) gets a maximin design: each one as
    far as possible from those before, by the features of the space.

    Args:
        space: Where from.
        n: How many.
        seed: The same seed gives the same list.
        design: "latin-hypercube", "sobol", "maximin" or "random".
        accept: Constraint: only architectures for which it returns True; what it refuses is drawn
            again, so the design is then even over what it accepts only roughly.

    Raises:
        UnknownName: If there is no such design.
        InvalidSpace: If the space, or the accepted part of it, has fewer than `n`.
    """
    chosen = DESIGNS[design]
    if n < 1 or (space.size is not None and n > space.size):
        return space.sample(n, seed, accept=accept)  # nothing, or the message of an empty space
    return chosen(space, n, seed, accept)


@DESIGNS.register("random")
def random_design(space: Space, n: int, seed: int, accept: Accept | None) -> list[Architecture]:
    """Return a uniform sample."""
    return space.sample(n, seed, accept=accept)


@DESIGNS.register("latin-hypercube")
def latin_hypercube(space: Space, n: int, seed: int, accept: Accept | None) -> list[Architecture]:
    """Return a design in which every option of a choice comes up equally often, within one."""
    if not isinstance(space, FlexiBertSpace):
        return maximin(space, n, seed, accept)
    rng = np.random.default_rng(seed)

    def batch(count: int) -> list[Architecture]:
        return _made(space, count, lambda _, rows: rng.permutation(len(rows)), rng)

    return _filled(space, n, seed, accept, batch)


@DESIGNS.register("sobol")
def sobol(space: Space, n: int, seed: int, accept: Accept | None) -> list[Architecture]:
    """Return a Latin hypercube whose orders are those of a low-discrepancy sequence.

    Choices made together are then spread more evenly too.
    """
    if not isinstance(space, FlexiBertSpace):
        return maximin(space, n, seed, accept)
    rng = np.random.default_rng(seed)
    column = {name: i for i, name in enumerate(space.decisions)}
    rows = _sobol_rows(len(column), n, seed)

    def batch(count: int) -> list[Architecture]:
        points = np.array(list(islice(rows, count)))

        def order(name: str, rows: list[int]) -> np.ndarray:
            return points[rows, column[name]].argsort().argsort()

        return _made(space, count, order, rng)

    return _filled(space, n, seed, accept, batch)


@DESIGNS.register("maximin")
def maximin(space: Space, n: int, seed: int, accept: Accept | None) -> list[Architecture]:
    """Return a random architecture, then always the one farthest from those chosen.

    Distances are Euclidean in the standardised features of the space. Of a large space, and of one
    that cannot count, only a uniform sample is considered.
    """
    rng = np.random.default_rng(seed)
    pool = _pool(space, n, seed, accept)
    features = np.array([space.features(architecture) for architecture in pool])
    spread = features.std(axis=0)
    features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    chosen = [int(rng.integers(len(pool)))]
    gap = np.full(len(pool), np.inf)
    for _ in range(n - 1):
        gap = np.minimum(gap, np.square(features - features[chosen[-1]]).sum(axis=1))
        gap[chosen[-1]] = -1.0  # two architectures with equal features stay two
        chosen.append(int(gap.argmax()))
    return [pool[i] for i in chosen]


def _pool(space: Space, n: int, seed: int, accept: Accept | None) -> list[Architecture]:
    if space.size is not None and space.size <= POOL:
        found = [a for a in space.sample(space.size, seed) if accept is None or accept(a)]
        if len(found) >= n:
            return found
    try:
        return space.sample(max(n, min(20 * n, POOL)), seed, accept=accept)
    except InvalidSpace:  # it has, or the constraint leaves, fewer than that
        return space.sample(n, seed, accept=accept)


def _made(
    space: FlexiBertSpace, count: int, order: Order, rng: np.random.Generator
) -> list[Architecture]:
    """Make `count` architectures side by side, one decision of all of them at a time."""
    walks = [space.decide() for _ in range(count)]
    offers = [next(walk) for walk in walks]
    made: list[Any] = [None] * count
    for name in space.decisions:
        groups: dict[int, list[int]] = {}
        for row, (asked, options) in enumerate(offers):
            if asked == name and made[row] is None:
                groups.setdefault(len(options), []).append(row)
        for choices, rows in groups.items():
            places = (order(name, rows) + rng.random(len(rows))) / len(rows)
            for row, place in zip(rows, (places * choices).astype(int).tolist(), strict=True):
                try:
                    offers[row] = walks[row].send(offers[row][1][place])
                except StopIteration as end:
                    made[row] = end.value
    return made


def _filled(
    space: Space,
    n: int,
    seed: int,
    accept: Accept | None,
    batch: Callable[[int], list[Architecture]],
) -> list[Architecture]:
    """Return `n` distinct accepted architectures from batches, the last ones uniform if need be."""
    found: dict[Architecture, None] = {}
    idle = 0
    while len(found) < n and idle < PATIENCE:
        for architecture in batch(n - len(found)):
            new = architecture not in found and (accept is None or accept(architecture))
            idle = 0 if new else idle + 1
            if new:
                found[architecture] = None
    if len(found) == n:
        return list(found)

    def is_left(architecture: Architecture) -> bool:
        return architecture not in found and (accept is None or accept(architecture))

    return [*found, *space.sample(n - len(found), seed, accept=is_left)]


def _sobol_rows(dimensions: int, n: int, seed: int) -> Iterator[np.ndarray]:
    engine = qmc.Sobol(dimensions, seed=seed)
    while True:  # the points are balanced in blocks whose length is a power of two
        yield from engine.random(1 << max(n - 1, 1).bit_length())
