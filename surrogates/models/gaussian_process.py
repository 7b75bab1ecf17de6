"""Gaussian process whose kernel is a sum of kernels with learned weights.

Fixing the kernels, or all but the relevance of a few attributes, and learning how much each
explains keeps the fit a smooth problem of few variables with an analytic gradient: milliseconds
for a hundred results.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize

from search_spaces import Architecture
from surrogates.models.evidence import JITTER, Evidence
from surrogates.models.model import Belief, Model
from surrogates.models.scored import Scored

NOISE_SLOPE = 0.7  # prior standard deviation of each slope of the log noise variance
BIASES = (1.0, 0.1)  # prior medians of the weights of a lower fidelity's biases
STEPS = 40  # of L-BFGS at most
REMEMBERED = 24  # fits of a policy: two uses of a few metrics, by three models each
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

    @property
    def acts(self) -> np.ndarray:
        """Which kernels fall as `exp(-relevance * gap)` of which attribute, `(k, attributes)`.

        Kernels with nothing to learn but their weights have no attributes.
        """
        return np.empty((len(self.weights), 0))

    def tuned(self, relevance: np.ndarray) -> "Kernels":
        """Return these kernels with other relevances, `(attributes,)`."""
        return self

    def gaps(self, rows: np.ndarray) -> np.ndarray:
        """Return squared distances by attribute, `(attributes, n, n)`."""
        return np.empty((0, len(rows), len(rows)))

    def of_gaps(self, rows: np.ndarray, gaps: np.ndarray, relevance: np.ndarray) -> np.ndarray:
        """Return `tuned(relevance).cross(rows, rows)`, given `gaps(rows)`."""
        return self.cross(rows, rows)


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
        fits: What was learned from which results, to be shared by the models of one policy and
            read by nobody else.
    """

    learns_fidelities = True
    learns_from_few = True

    def __init__(
        self,
        features: Callable[[Sequence[Architecture]], np.ndarray],
        kernels: Kernels,
        noise: float = 0.14,
        trend: Callable[[np.ndarray], np.ndarray] | None = None,
        noise_features: Callable[[np.ndarray], np.ndarray] | None = None,
        fits: dict | None = None,
    ):
        self._features, self.kernels = features, kernels
        self._untuned = kernels
        self.trend = trend or (lambda rows: np.zeros(len(rows)))
        self._noise_features = noise_features or (lambda rows: np.empty((len(rows), 0)))
        self._prior = np.log([*kernels.weights, noise])
        self._fits = {} if fits is None else fits

    def fit(self, architectures, targets, rng, fidelities=None):
        self.learn(architectures, targets, fidelities)
        self.condition(architectures, targets, fidelities)

    def learn(self, architectures, targets, fidelities=None) -> None:
        """Find the weights of the kernels and of the noise, and nothing else.

        What was found for the same results before is remembered where `fits` was given.
        """
        self._place(architectures, targets, fidelities)
        digest = sha256(type(self._untuned).__name__.encode())
        for part in (self.rows, self.residuals, self._below):
            digest.update(np.ascontiguousarray(part).tobytes())
        key = digest.digest()
        if key not in self._fits:
            while len(self._fits) >= REMEMBERED:
                del self._fits[next(iter(self._fits))]
            self._fits[key] = self._most_likely()
        relevance, self.weights, self._bias_weights, self._noise_weights = self._fits[key]
        self.kernels = self._untuned.tuned(relevance)

    def condition(self, architectures, targets, fidelities=None) -> None:
        """Take these results for known, with the weights that `learn` found, on others perhaps."""
        self._place(architectures, targets, fidelities)
        matrix = self.kernels.weighted(self.weights, self.rows, self.rows)
        if self._below.any():
            low = self.rows[self._below]
            constant, smooth = self._bias_weights
            last = np.zeros(len(self.weights))
            last[-1] = smooth
            bias = constant + self.kernels.weighted(last, low, low)
            matrix[np.ix_(self._below, self._below)] += (
                bias * self._alike()[self._below][:, self._below]
            )
        matrix[np.diag_indices_from(matrix)] += self._noise_of(self._causes()) + JITTER
        self._factor, self._grown = np.linalg.cholesky(matrix), []
        self._whitened = solve_triangular(
            self._factor, self.residuals, lower=True, check_finite=False
        )
        self._scored: Scored | None = None

    def _place(self, architectures, targets, fidelities) -> None:
        self.rows = self._features(architectures)
        self._fidelities = np.ones(len(self.rows)) if fidelities is None else fidelities
        self._below = self._fidelities < self._fidelities.max()
        self.residuals = np.asarray(targets, float) - self.trend(self.rows)

    def _most_likely(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return relevances, the weights of kernels and biases, and what the noise depends on."""
        causes, gaps = self._causes(), self._untuned.gaps(self.rows)
        acts = self._untuned.acts
        base, g = acts.shape
        fixed = None if g else self._with_biases(self._untuned.cross(self.rows, self.rows))

        def parts(relevance: np.ndarray) -> np.ndarray:
            if fixed is not None:
                return fixed
            return self._with_biases(self._untuned.of_gaps(self.rows, gaps, relevance))

        biases = BIASES if self._below.any() else ()
        if biases:
            acts = np.concatenate([acts, np.zeros((1, g)), acts[-1:]])
        prior = np.concatenate(
            [np.zeros(g), self._prior[:base], np.log(biases), self._prior[base:],
             np.zeros(causes.shape[1])]
        )  # fmt: skip
        spread = np.concatenate(
            [np.full(g + len(acts), 1.5), [1.0], np.full(causes.shape[1], NOISE_SLOPE)]
        )
        found = minimize(
            Evidence(self.residuals, parts, causes, prior, spread, gaps, acts), prior,
            jac=True, method="L-BFGS-B", options={"maxiter": STEPS},
            bounds=[(p - b, p + b) for p, b in zip(prior, 4 * spread, strict=True)],
        )  # fmt: skip
        relevance, weights, noise = np.split(found.x, [g, g + len(acts)])
        relevance, weights = np.exp(relevance), np.exp(weights)
        if not biases:  # lower fidelities are then as the prior has them
            return relevance, weights, np.array(BIASES), np.append(noise, 0.0)
        return relevance, weights[:base], weights[base:], noise

    def _alike(self) -> np.ndarray:
        """Return which pairs of results share the bias of a lower fidelity, `(n, n)`."""
        return (self._fidelities[:, None] == self._fidelities[None]) & self._below[:, None]

    def _with_biases(self, parts: np.ndarray) -> np.ndarray:
        """Return the kernels between all results, those of the biases at the end, `(k, n, n)`."""
        if not self._below.any():
            return parts
        alike = self._alike()
        return np.concatenate([parts, [alike, alike * parts[-1]]])

    def _causes(self) -> np.ndarray:
        """Return what the noise of each result depends on: its size, and whether it is low."""
        causes = self._noise_features(self.rows)
        return np.column_stack([causes, self._below]) if self._below.any() else causes

    def noise(self, rows: np.ndarray) -> np.ndarray:
        """Return the noise variance of results at the highest fidelity, `(n,)`."""
        return self._noise_of(self._noise_features(rows))

    def _noise_of(self, causes: np.ndarray) -> np.ndarray:
        slopes = self._noise_weights[1 : 1 + causes.shape[1]]
        return np.exp(self._noise_weights[0] + np.clip(causes @ slopes, -4, 4))

    def left_out(self) -> np.ndarray:
        """Return the log density of each target, given all others, `(n,)`.

        Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press 2006,
        section 5.4.2.
        """
        precision = cho_solve((self.factor, True), np.eye(len(self.rows)), check_finite=False)
        own = np.diag(precision)
        return -0.5 * (np.log(2 * np.pi / own) + (precision @ self.residuals) ** 2 / own)

    @property
    def alpha(self) -> np.ndarray:
        """The weight of each result in the posterior mean, `(n,)`."""
        return solve_triangular(
            self.factor, self._whitened, lower=True, trans="T", check_finite=False
        )

    def believe(self, architectures):
        at = self._scored.find(architectures) if self._scored else None
        if at is not None:
            scored = self._scored
            return _belief(scored.mean[at], scored.variance[at], scored.noise[at])
        if not len(architectures):
            return Belief(np.empty(0), np.empty(0), np.empty(0))
        rows = self._features(architectures)
        chunks = [self._score(rows[i : i + CHUNK]) for i in range(0, len(rows), CHUNK)]
        mean, variance = (np.concatenate([c[j] for c in chunks]) for j in (0, 1))
        noise = self.noise(rows)
        # a batch is chosen from ever smaller parts of one list, which is scored once
        if len(chunks) == 1 and (self._scored is None or len(rows) >= len(self._scored.rows)):
            self._scored = Scored(architectures, rows, mean, variance, noise, chunks[0][2])
        return _belief(mean, variance, noise)

    def _score(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return posterior mean and variance, `(n,)`, and the whitened kernel, `(results, n)`."""
        reduced = self._reduced(rows)
        prior = self.weights @ self.kernels.diagonal(rows)
        mean = self.trend(rows) + reduced.T @ self._whitened
        return mean, prior - (reduced**2).sum(0), reduced

    def _reduced(self, rows: np.ndarray) -> np.ndarray:
        cross = self.kernels.weighted(self.weights, self.rows, rows)
        return solve_triangular(self.factor, cross, lower=True, check_finite=False)

    def covariance(self, architectures):
        rows = self._features(architectures)
        reduced = self._reduced(rows)
        prior = np.tensordot(self.weights, self.kernels.cross(rows, rows), 1)
        return prior - reduced.T @ reduced

    def assume(self, architectures, targets):
        # the factor grows by a block, and what was scored follows: nothing is factorised anew
        at = self._scored.find(architectures) if self._scored else None
        if at is None:
            rows = self._features(architectures)
            side = self._reduced(rows)
        else:
            rows, side = self._scored.rows[at], self._scored.reduced(at)
        own = self.kernels.weighted(self.weights, rows, rows) - side.T @ side
        own[np.diag_indices_from(own)] += self.noise(rows) + JITTER
        corner = np.linalg.cholesky(own)
        residuals = targets - self.trend(rows)
        unexpected = residuals - side.T @ self._whitened
        whitened = solve_triangular(corner, unexpected, lower=True, check_finite=False)
        if self._scored is not None:
            cross = self.kernels.weighted(self.weights, rows, self._scored.rows)
            self._scored.follow(cross, side, corner, whitened)
        self._grown.append((side, corner))
        self._whitened = np.concatenate([self._whitened, whitened])
        self.rows = np.concatenate([self.rows, rows])
        self.residuals = np.concatenate([self.residuals, residuals])

    @property
    def factor(self) -> np.ndarray:
        """The lower triangular factor of the covariance of all results, `(n, n)`."""
        if self._grown:
            known = len(self._factor)
            whole = np.zeros((len(self.rows), len(self.rows)))
            whole[:known, :known] = self._factor
            for side, corner in self._grown:
                end = known + len(corner)
                whole[known:end, :known], whole[known:end, known:end] = side.T, corner
                known = end
            self._factor, self._grown = whole, []
        return self._factor


def _belief(mean: np.ndarray, variance: np.ndarray, noise: np.ndarray) -> Belief:
    return Belief(mean, np.sqrt(np.maximum(variance, 1e-12)), np.sqrt(noise))
