"""Gaussian process whose kernel is a sum of fixed kernels with learned weights.

Fixing the kernels and learning only how much each explains keeps the fit a smooth problem of few
variables with an analytic gradient: milliseconds for a hundred results.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from search_spaces import Architecture
from surrogates.model import Belief, Model

JITTER = 1e-6
NOISE_SLOPE = 0.7  # prior standard deviation of each slope of the log noise variance
BIASES = (1.0, 0.1)  # prior medians of the weights of a lower fidelity's biases
CHUNK = 2_000  # rows predicted at a time: what fits a cache is twice as fast


class Kernels(ABC):
    """Several kernels over rows of features, and what is expected of their weights.

    Attributes:
        weights: Prior median of the weight of each kernel, in units of target variance.
    """

    weights: tuple[float, ...]

    @abstractmethod
    def cross(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return every kernel between rows `(n, features)` and `(m, features)`: `(k, n, m)`."""

    def weighted(self, weights: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the sum of the kernels times `weights`, `(n, m)`."""
        return np.tensordot(weights, self.cross(a, b), 1)

    @abstractmethod
    def diagonal(self, a: np.ndarray) -> np.ndarray:
        """Return every kernel between each row and itself, `(k, n)`."""


class SumKernelGP(Model):
    """Maximum a posteriori weights of the kernels and of the noise, log-normal priors on both.

    Results at a lower fidelity are those at the highest plus a constant bias, plus a bias that
    varies smoothly (the last kernel over again), plus more noise; a set of each for every lower
    fidelity, with common weights.

    Source: of the link, Kennedy and O'Hagan, "Predicting the Output from a Complex Computer Code
    When Fast Approximations Are Available", Biometrika 2000.

    Args:
        features: Turns architectures into rows `(n, features)`.
        kernels: What may be summed.
        noise: Prior median of the noise variance.
        trend: Prior mean of the targets given rows, `(n,)`; None is zero.
        noise_features: Columns `(n, k)`, given rows, on which the logarithm of the noise variance
            depends linearly; None is constant noise.
    """

    learns_fidelities = True

    def __init__(
        self,
        features: Callable[[Sequence[Architecture]], np.ndarray],
        kernels: Kernels,
        noise: float = 0.14,
        trend: Callable[[np.ndarray], np.ndarray] | None = None,
        noise_features: Callable[[np.ndarray], np.ndarray] | None = None,
    ):
        self._features, self.kernels = features, kernels
        self.trend = trend or (lambda rows: np.zeros(len(rows)))
        self._noise_features = noise_features or (lambda rows: np.empty((len(rows), 0)))
        self._prior = np.log([*kernels.weights, noise])

    def fit(self, architectures, targets, rng, fidelities=None):
        self.rows = self._features(architectures)
        self._fidelities = np.ones(len(self.rows)) if fidelities is None else fidelities
        self.residuals = np.asarray(targets, float) - self.trend(self.rows)
        causes, parts = self._causes(), self._parts()
        base = len(self.kernels.weights)
        biases = np.log(BIASES[: len(parts) - base])
        prior = np.concatenate(
            [self._prior[:base], biases, self._prior[base:], np.zeros(causes.shape[1])]
        )
        spread = np.concatenate(
            [np.full(len(parts), 1.5), [1.0], np.full(causes.shape[1], NOISE_SLOPE)]
        )
        found = minimize(
            _negative_log_posterior, prior, (self.residuals, parts, causes, prior, spread),
            jac=True, method="L-BFGS-B", options={"maxiter": 40},
            bounds=[(p - b, p + b) for p, b in zip(prior, 4 * spread, strict=True)],
        )  # fmt: skip
        self.weights = np.exp(found.x[:base])
        self._bias_weights = np.exp(found.x[base : len(parts)])
        self._noise_weights = found.x[len(parts) :]
        self._factorise()

    def _parts(self) -> np.ndarray:
        """Return every kernel between all results, those of the biases at the end, `(k, n, n)`."""
        parts = self.kernels.cross(self.rows, self.rows)
        below = self._fidelities < self._fidelities.max()
        if not below.any():
            return parts
        alike = (self._fidelities[:, None] == self._fidelities[None]) & below[:, None]
        return np.concatenate([parts, [alike, alike * parts[-1]]])

    def _causes(self) -> np.ndarray:
        """Return what the noise of each result depends on: its size, and whether it is low."""
        causes = self._noise_features(self.rows)
        below = self._fidelities < self._fidelities.max()
        return np.column_stack([causes, below]) if below.any() else causes

    def noise(self, rows: np.ndarray) -> np.ndarray:
        """Return the noise variance of results at the highest fidelity, `(n,)`."""
        return self._noise_of(self._noise_features(rows))

    def _noise_of(self, causes: np.ndarray) -> np.ndarray:
        slopes = self._noise_weights[1 : 1 + causes.shape[1]]
        return np.exp(self._noise_weights[0] + np.clip(causes @ slopes, -4, 4))

    def _factorise(self) -> None:
        weights = np.concatenate([self.weights, self._bias_weights])
        matrix = np.tensordot(weights, self._parts(), 1)
        matrix[np.diag_indices_from(matrix)] += self._noise_of(self._causes()) + JITTER
        self.factor = np.linalg.cholesky(matrix)
        self.alpha = cho_solve((self.factor, True), self.residuals, check_finite=False)

    def believe(self, architectures):
        rows = self._features(architectures)
        means, variances = [], []
        for i in range(0, len(rows), CHUNK):
            part = rows[i : i + CHUNK]
            cross, reduced = self._reduced(part)
            prior = self.weights @ self.kernels.diagonal(part)
            variances.append(prior - (reduced**2).sum(0))
            means.append(self.trend(part) + cross.T @ self.alpha)
        variance = np.maximum(np.concatenate(variances), 1e-12)
        return Belief(np.concatenate(means), np.sqrt(variance), np.sqrt(self.noise(rows)))

    def _reduced(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cross = self.kernels.weighted(self.weights, self.rows, rows)
        return cross, solve_triangular(self.factor, cross, lower=True, check_finite=False)

    def covariance(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the joint epistemic covariance of `architectures`, `(n, n)`."""
        rows = self._features(architectures)
        _, reduced = self._reduced(rows)
        prior = np.tensordot(self.weights, self.kernels.cross(rows, rows), 1)
        return prior - reduced.T @ reduced

    def assume(self, architectures, targets):
        rows = self._features(architectures)
        self.rows = np.concatenate([self.rows, rows])
        highest = np.full(len(rows), self._fidelities.max())
        self._fidelities = np.concatenate([self._fidelities, highest])
        self.residuals = np.concatenate([self.residuals, targets - self.trend(rows)])
        self._factorise()


def _negative_log_posterior(
    log_weights: np.ndarray, residuals, parts, causes, prior, spread
) -> tuple[float, np.ndarray]:
    """Return the value and the gradient in the logarithms of kernel weights and noise.

    Args:
        log_weights: Of the kernels, of the noise level, and the slopes of the noise on `causes`.
        residuals: Targets less trend, `(n,)`.
        parts: Every kernel between all rows, `(k, n, n)`.
        causes: What the noise depends on, `(n, c)`.
        prior: Mean of `log_weights`, `(k + 1 + c,)`.
        spread: Their standard deviations.
    """
    kernels, diagonal = len(parts), np.diag_indices(len(residuals))
    weights = np.exp(log_weights[:kernels])
    noise = np.exp(log_weights[kernels] + np.clip(causes @ log_weights[kernels + 1 :], -4, 4))
    matrix = np.tensordot(weights, parts, 1)
    matrix[diagonal] += noise + JITTER
    factor = cho_factor(matrix, lower=True, check_finite=False)
    inverse = cho_solve(factor, np.eye(len(residuals)), check_finite=False)
    fit = inverse @ residuals
    z = (log_weights - prior) / spread
    value = 0.5 * residuals @ fit + np.log(np.diag(factor[0])).sum() + 0.5 * z @ z
    sensitivity = inverse - np.outer(fit, fit)
    by_noise = 0.5 * sensitivity[diagonal] * noise
    slopes = [
        0.5 * weights * (parts.reshape(kernels, -1) @ sensitivity.ravel()),
        [by_noise.sum()],
        causes.T @ by_noise,
    ]
    return value, np.concatenate(slopes) + z / spread
