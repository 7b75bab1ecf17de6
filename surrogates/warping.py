"""Targets a surrogate can learn from: ranks as normal scores, and the way back to units."""

import numpy as np
from scipy.stats import norm, rankdata


class RankWarp:
    """Replaces values by the normal scores of their ranks; larger stays larger.

    Scores of trained encoders have a long lower tail (collapsed trainings) that would dominate a
    squared error and says nothing about the best; ranks give it the weight of its count.

    Args:
        values: Larger is better, `(n,)`, n >= 1.
    """

    def __init__(self, values: np.ndarray):
        values = np.asarray(values, float)
        self.scores = norm.ppf((rankdata(values) - 0.5) / len(values))
        order = np.argsort(values, kind="stable")
        self._scores, first = np.unique(self.scores[order], return_index=True)
        self._values = values[order][first]
        spread = values.std()
        span = self._scores[-1] - self._scores[0]
        # beyond the told values the way back continues with the overall slope
        self._slope = (self._values[-1] - self._values[0]) / span if span > 0 else spread

    def invert(self, scores: np.ndarray) -> np.ndarray:
        """Return the values that `scores` stand for, extrapolated linearly, any shape."""
        low, high = self._scores[0], self._scores[-1]
        inside = np.interp(scores, self._scores, self._values)
        outside = np.maximum(scores - high, 0) + np.minimum(scores - low, 0)
        return inside + self._slope * outside

    def invert_spread(self, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Return the standard deviation in units of the values, `(n,)`."""
        return (self.invert(mean + spread) - self.invert(mean - spread)) / 2
