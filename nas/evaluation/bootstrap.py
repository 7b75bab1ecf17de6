"""How far a score would be off by the luck of which items were asked.

Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 1979 (the
percentile interval).
"""

from collections.abc import Callable, Sequence

import numpy as np

LEVEL = 0.95


def interval(
    score: Callable[[Sequence[np.ndarray]], float],
    sizes: Sequence[int],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the ends of the interval that holds a score with `LEVEL`.

    Args:
        score: Gives the score of chosen items: for each part, their places, `(items,)`, some of
            them several times.
        sizes: How many items each part has; as many are drawn, from this part alone.
        resamples: How often.
        seed: Decides the draws.
    """
    return ends(resampled(score, sizes, resamples=resamples, seed=seed))


def resampled(
    score: Callable[[Sequence[np.ndarray]], float],
    sizes: Sequence[int],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """Return a score of each resample, `(resamples,)`; the arguments are those of `interval`."""
    rng = np.random.default_rng(seed)
    return np.array(
        [score([rng.integers(size, size=size) for size in sizes]) for _ in range(resamples)]
    )


def ends(scores: np.ndarray) -> tuple[float, float]:
    """Return the ends of the interval that holds a score with `LEVEL`, given its resamples."""
    low, high = np.quantile(scores, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
