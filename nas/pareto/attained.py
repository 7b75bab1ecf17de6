"""What a search attains within a cost: its front beside those of others, on one scale.

Source: Grunert da Fonseca, Fonseca and Hall, "Inferential performance assessment of stochastic
optimisers and the attainment function", EMO 2001; Knowles, "A summary-attainment-surface plotting
method for visualizing the performance of stochastic multiobjective optimizers", ISDA 2005.
Differs on purpose: quantiles are taken at given costs, one cost at a time, so that each reads as
"half of the searches had at least this score at this cost".
"""

import numpy as np

POINTS = 60  # of a scale, beside what was measured


def scale(measured: np.ndarray) -> np.ndarray:
    """Return the bounds that fronts are read at, the strictest first, `(points,)`.

    Args:
        measured: A cost of each trial, larger better, `(trials,)`; each is a bound itself, so that
            the measured front has its corners where they are.
    """
    even = np.linspace(measured.max(), measured.min(), POINTS)
    return np.unique(np.concatenate([even, measured]))[::-1]


def attained(scores: np.ndarray, costs: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return the best score of those that keep to each bound, -inf where none does.

    Args:
        scores: Larger better, `(trials,)`.
        costs: Larger better, `(trials,)`: a cost to be small has its sign changed.
        bounds: Costs that are to be reached, `(bounds,)`.
    """
    if not len(scores):
        return np.full(len(bounds), -np.inf)
    within = costs[:, None] >= bounds
    return np.where(within, scores[:, None], -np.inf).max(axis=0)


def surfaces(fronts: np.ndarray, worst: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what 95 %, half and 5 % of the searches attain at each bound.

    Args:
        fronts: As of `attained`, `(searches, bounds)`.
        worst: Stands for the score of searches that have nothing within a bound which half of them
            can keep to; where fewer can, all three are NaN.
    """
    # no value between two searches: between a score and none there is nothing
    low, middle, high = np.quantile(fronts, [0.05, 0.5, 0.95], axis=0, method="nearest")
    there = np.isfinite(middle)
    low = np.where(np.isfinite(low), low, worst)
    return tuple(np.where(there, line, np.nan) for line in (low, middle, high))  # type: ignore[return-value]
