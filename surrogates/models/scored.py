"""What a Gaussian process believes of a list of candidates, kept while results are assumed."""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import solve_triangular

from search_spaces import Architecture


class Scored:
    """Mean and variance of candidates, brought up to date by a new block of the factor.

    Source: of the block update, Golub and Van Loan, "Matrix Computations", 4th edition, 2013.

    Args:
        architectures: The candidates, `n`.
        rows: Their features, `(n, features)`.
        mean: Posterior mean, `(n,)`.
        variance: Posterior variance, `(n,)`.
        noise: Noise variance, `(n,)`.
        reduced: The inverse factor times the kernel between results and candidates, `(results, n)`.
    """

    def __init__(
        self,
        architectures: Sequence[Architecture],
        rows: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
        noise: np.ndarray,
        reduced: np.ndarray,
    ):
        self._at = {a.hash: i for i, a in enumerate(architectures)}
        self.rows, self.mean, self.variance, self.noise = rows, mean, variance, noise
        self._reduced = [reduced]

    def find(self, architectures: Sequence[Architecture]) -> np.ndarray | None:
        """Return the places of `architectures` in the list; None unless all are in it."""
        at = [self._at.get(a.hash, -1) for a in architectures]
        return None if min(at, default=-1) < 0 else np.array(at)

    def reduced(self, at: np.ndarray) -> np.ndarray:
        """Return the inverse factor times the kernel with the candidates `at`, `(results, k)`."""
        return np.concatenate([block[:, at] for block in self._reduced])

    def follow(
        self, cross: np.ndarray, side: np.ndarray, corner: np.ndarray, whitened: np.ndarray
    ) -> None:
        """Take `k` more results into account.

        Args:
            cross: The kernel between them and the candidates, `(k, n)`.
            side: The factor's new rows left of its corner, transposed, `(results, k)`.
            corner: The factor's new lower right corner, `(k, k)`.
            whitened: What of their residuals was not expected, over `corner`, `(k,)`.
        """
        known = 0
        for block in self._reduced:
            cross = cross - side[known : known + len(block)].T @ block
            known += len(block)
        new = solve_triangular(corner, cross, lower=True, check_finite=False)
        self._reduced.append(new)
        self.mean = self.mean + whitened @ new
        self.variance = self.variance - (new**2).sum(0)
