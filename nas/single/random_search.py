"""What random search of equal budget would have found, as estimated from the trials of a search."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Fewer trials say nothing of how scores follow size.
FEWEST = 4
_DRAWS = 200
_SEARCHES, _FEWEST_SEARCHES, _CELLS = 2_000, 20, 20_000


@dataclass(frozen=True)
class Estimate:
    """The expected true score of what random search picks, and the error of that estimate.

    Attributes:
        mean: Over searches, in the direction of the scores.
        error: Standard error, from how little the trials say of the line.
    """

    mean: float
    error: float


def expected_of_random(
    sizes: Sequence[float],
    scores: Sequence[float],
    space_sizes: Sequence[float],
    *,
    budget: int,
    noise: float,
    sign: int = 1,
    seed: int = 0,
) -> Estimate | None:
    """Estimate the true score of what the best of `budget` random draws turns out to be.

    A line of score over the logarithm of size, level from some size on where that fits better (few
    tasks reward size without end), is fitted to all trials; what they differ from it is seed noise,
    which is known, and otherwise what architectures of one size differ by. Random searches are then
    simulated: architectures of the space, true scores by line and spread, observed ones with noise,
    and the true score of the one that was observed as best.

    Bias: a policy that proposed good trials lifts line and spread, so that the estimate is rather
    too high, and a verdict against it rather too careful; where scores follow size in another way,
    it is off by what that misses.

    Args:
        sizes: Parameters of each trial.
        scores: Its score.
        space_sizes: Parameters of a uniform sample of the space, constraints kept.
        budget: Trials of a random search.
        noise: Standard deviation of a score over seeds.
        sign: 1 where larger scores are better, -1 where smaller ones are.
        seed: Of the simulation.

    Returns:
        The estimate; None where the trials are too few, or all of one size.
    """
    x, y = np.log(np.asarray(sizes, float)), sign * np.asarray(scores, float)
    if len(x) < FEWEST or np.ptp(x) < 1e-9 or not len(space_sizes):
        return None
    top = _level_from(x, y)
    x = np.minimum(x, top)
    line, left = _line(x, y)
    centre = x.mean()
    spread = math.sqrt(max(0.0, left - noise**2))
    rng = np.random.default_rng(seed)
    errors = np.sqrt(left * np.array([1 / len(x), 1 / ((x - centre) ** 2).sum()]))
    lines = line + errors * rng.standard_normal((_DRAWS, 2))
    offers = np.minimum(np.log(np.asarray(space_sizes, float)), top) - centre
    # the same searches for each line, so that only the lines make the error
    shape = (max(_FEWEST_SEARCHES, min(_SEARCHES, _CELLS // budget)), budget)
    drawn = offers[rng.integers(len(offers), size=shape)]
    differs, luck = spread * rng.standard_normal(shape), noise * rng.standard_normal(shape)
    found = np.empty(_DRAWS)
    for number, (level, slope) in enumerate(lines):
        true = level + slope * drawn + differs
        picked = (true + luck).argmax(1)[:, None]
        found[number] = np.take_along_axis(true, picked, 1).mean()
    return Estimate(sign * float(found.mean()), float(found.std(ddof=1)))


def _level_from(x: np.ndarray, y: np.ndarray) -> float:
    """Return the size from which on scores are best taken for level; infinity for a line.

    Two trials at least stand on either side, and each size that is tried costs the fit a freedom.
    """
    places = np.unique(x)[1:]
    bends = [place for place in places if (x >= place).sum() > 1 and (x < place).sum() > 1]
    straight = _line(x, y)[1] * (len(x) - 2)
    best, found = straight * (len(x) - 3) / (len(x) - 2), math.inf
    for place in bends:
        left = _line(np.minimum(x, place), y)[1] * (len(x) - 2)
        if left < best:
            best, found = left, float(place)
    return found


def _line(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Return level at the mean and slope of least squares, and the variance that they leave."""
    design = np.stack([np.ones_like(x), x - x.mean()], 1)
    line = np.linalg.lstsq(design, y, rcond=None)[0]
    return line, float(((y - design @ line) ** 2).sum()) / (len(x) - 2)
