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
    rng = np.random.default_rng(seed)
    found = [score([rng.integers(size, size=size) for size in sizes]) for _ in range(resamples)]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
