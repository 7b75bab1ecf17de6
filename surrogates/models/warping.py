"""Targets a surrogate can learn from, and the way back to the units of what was told."""

from abc import ABC, abstractmethod

import numpy as np
from scipy.stats import norm, rankdata

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
NORMAL_QUARTILES = 1.35  # standard deviations between the quartiles of a normal distribution
SOFTNESS = 2.0  # how soon a value counts as far from the median
FAR = 12.0  # scores beyond are no longer told apart, so that nothing overflows


class Warp(ABC):
    """An increasing map from values to scores that are roughly standard normal.

    Attributes:
        scores: Of the values it was built from, `(n,)`.
    """

    scores: np.ndarray

    @abstractmethod
    def invert(self, scores: np.ndarray) -> np.ndarray:
        """Return the values that `scores` stand for, any shape."""

    @abstractmethod
    def moments(self, mean: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation, in units of the values, of normal scores, `(n,)`."""


class Standardise(Warp):
    """Subtracts the mean and divides by the standard deviation.

    Args:
        values: Larger is better, `(n,)`, n >= 1.
    """

    def __init__(self, values: np.ndarray):
        values = np.asarray(values, float)
        spread = float(values.std())
        self._mean, self._spread = float(values.mean()), spread if spread > 0 else 1.0
        self.scores = self.score(values)

    def score(self, values: np.ndarray) -> np.ndarray:
        """Return the scores of other values, any shape."""
        return (values - self._mean) / self._spread

    def invert(self, scores):
        return self._mean + self._spread * scores

    def moments(self, mean, spread):
        return self.invert(mean), self._spread * spread


class RankWarp(Warp):
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

    def invert(self, scores):
        low, high = self._scores[0], self._scores[-1]
        inside = np.interp(scores, self._scores, self._values)
        outside = np.maximum(scores - high, 0) + np.minimum(scores - low, 0)
        return inside + self._slope * outside

    def moments(self, mean, spread):
        return _moments(self, mean, spread)


class ArcsinhWarp(Standardise):
    """Standardises the inverse hyperbolic sine: a line near the median, logarithms far from it.

    Between values and ranks: a long tail counts less than in units, and what lies close together
    stays close together, as it does not in ranks.

    Args:
        values: Larger is better, `(n,)`, n >= 1.
    """

    def __init__(self, values: np.ndarray):
        values = np.asarray(values, float)
        self._middle = float(np.median(values))
        low, high = np.quantile(values, [0.25, 0.75])
        # where half of the values are equal the deviation says how far apart the others are
        width = (high - low) / NORMAL_QUARTILES
        self._width = (width or float(values.std()) or 1.0) / SOFTNESS
        bent = np.arcsinh((values - self._middle) / self._width)
        self._mean, self._spread = float(bent.mean()), float(bent.std()) or 1.0
        self.scores = self.score(values)

    def score(self, values):
        return super().score(np.arcsinh((np.asarray(values, float) - self._middle) / self._width))

    def invert(self, scores):
        return self._middle + self._width * np.sinh(np.clip(super().invert(scores), -FAR, FAR))

    def moments(self, mean, spread):
        return _moments(self, mean, spread)


def _moments(warp: Warp, mean: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of values by quadrature, `(n,)` each."""
    values = warp.invert(mean[:, None] + spread[:, None] * _NODES)
    center = values @ _WEIGHTS
    return center, np.sqrt(((values - center[:, None]) ** 2) @ _WEIGHTS)


# what the option "targets" may choose; with AUTO the policy chooses by use
AUTO = "auto"
WARPS: dict[str, type[Warp]] = {"standard": Standardise, "ranks": RankWarp, "arcsinh": ArcsinhWarp}
