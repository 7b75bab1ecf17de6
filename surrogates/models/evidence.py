"""How likely hyper-parameters of a Gaussian process are, given what was told, and the slope."""

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve

JITTER = 1e-6


class Evidence:
    """The negative logarithm of the posterior density, up to a constant, with its gradient.

    Its argument holds the logarithms of the relevance of each attribute, of the weight of each
    kernel, and of the noise level; then the slopes of the logarithm of the noise on `causes`.

    Args:
        residuals: Targets less trend, `(n,)`.
        parts: Returns every kernel between all rows, given relevances, `(k, n, n)`.
        causes: What the noise depends on, `(n, c)`.
        prior: Mean of the argument, `(g + k + 1 + c,)`.
        spread: Its standard deviations.
        gaps: Squared distances by attribute, `(g, n, n)`; there may be none.
        acts: Whether kernel `k` falls as `exp(-relevance * gap)` of attribute `g`, `(k, g)`.
    """

    def __init__(
        self,
        residuals: np.ndarray,
        parts: Callable[[np.ndarray], np.ndarray],
        causes: np.ndarray,
        prior: np.ndarray,
        spread: np.ndarray,
        gaps: np.ndarray,
        acts: np.ndarray,
    ):
        self._residuals, self._parts, self._causes = residuals, parts, causes
        self._prior, self._spread, self._gaps, self._acts = prior, spread, gaps, acts

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the value and the gradient, `(g + k + 1 + c,)`."""
        attributes, diagonal = len(self._gaps), np.diag_indices(len(self._residuals))
        relevance = np.exp(x[:attributes])
        parts = self._parts(relevance)
        end = attributes + len(parts)
        weights = np.exp(x[attributes:end])
        noise = np.exp(x[end] + np.clip(self._causes @ x[end + 1 :], -4, 4))
        matrix = np.tensordot(weights, parts, 1)
        matrix[diagonal] += noise + JITTER
        factor = cho_factor(matrix, lower=True, check_finite=False)
        inverse = cho_solve(factor, np.eye(len(noise)), check_finite=False)
        fit = inverse @ self._residuals
        z = (x - self._prior) / self._spread
        value = 0.5 * self._residuals @ fit + np.log(np.diag(factor[0])).sum() + 0.5 * z @ z
        sensitivity = inverse - np.outer(fit, fit)
        by_noise = 0.5 * sensitivity[diagonal] * noise
        slopes = [
            self._by_relevance(relevance, weights, parts, sensitivity),
            0.5 * weights * (parts.reshape(len(parts), -1) @ sensitivity.ravel()),
            [by_noise.sum()],
            self._causes.T @ by_noise,
        ]
        return value, np.concatenate(slopes) + z / self._spread

    def _by_relevance(self, relevance, weights, parts, sensitivity) -> np.ndarray:
        if not len(relevance):
            return relevance
        used = self._acts.any(1)
        falling = (weights[used, None, None] * parts[used] * sensitivity).reshape(used.sum(), -1)
        by_gap = self._gaps.reshape(len(relevance), -1) @ falling.T  # (g, kernels that fall)
        return -0.5 * relevance * (by_gap * self._acts[used].T).sum(1)
