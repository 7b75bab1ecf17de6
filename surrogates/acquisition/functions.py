"""How much a belief is worth trying: larger is better, from the belief alone."""

import numpy as np
from scipy.special import erf

FLAT = 1e-12


def expected_improvement(mean: np.ndarray, spread: np.ndarray, best: float) -> np.ndarray:
    """Return the expected gain over `best` of normal beliefs, `(n,)`.

    Where no gain is to be expected numerically, the result still orders by optimism, below every
    real gain, so that a maximum exists and is not the first of many zeros.

    Source: Jones, Schonlau, Welch, "Efficient Global Optimization of Expensive Black-Box
    Functions", Journal of Global Optimization 1998.
    """
    z = (mean - best) / spread
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    gain = spread * (z * 0.5 * (1 + erf(z / np.sqrt(2))) + density)
    optimism = mean + spread - best
    return np.where(gain > FLAT, gain, FLAT * np.exp(np.minimum(optimism, 0)))


def probability_below(mean: np.ndarray, spread: np.ndarray, bound: float) -> np.ndarray:
    """Return the probability that a normal belief lies below `bound`, `(n,)`."""
    return 0.5 * (1 + erf((bound - mean) / (spread * np.sqrt(2))))
