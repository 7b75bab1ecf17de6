"""Gaussian process over graphs: a Weisfeiler-Lehman kernel in BoTorch's process.

Source: Ru, Wan, Dong, Osborne, "Interpretable Neural Architecture Search via Bayesian Optimisation
with Weisfeiler-Lehman Kernels", ICLR 2021.
"""

import numpy as np
import torch
from gpytorch.kernels import Kernel, ScaleKernel
from scipy.sparse import csr_array, vstack

from search_spaces.vectors.weisfeiler_lehman import neighbourhood_counts
from surrogates.models.botorch_gp import BotorchGP
from surrogates.policies.model_policy import ModelPolicy


def gp_weisfeiler_lehman(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "gp-wl".

    Partial results are learned as if they were full; see `Record.lifted`.
    """
    graphs = KnownGraphs()
    return ModelPolicy(
        name, space, objectives, seed, constraints, options,
        make_model=lambda sign, features: BotorchGP(
            lambda told: graphs, lambda columns: ScaleKernel(GraphKernel(graphs))
        ),
    )  # fmt: skip


class KnownGraphs:
    """Numbers architectures in the order they are met, and remembers their neighbourhoods."""

    def __init__(self):
        self._number: dict[str, int] = {}
        self._columns: dict[object, int] = {}
        self._parts: list[csr_array] = []
        self._counts: tuple[csr_array, np.ndarray] | None = None

    def __call__(self, architectures) -> np.ndarray:
        """Return the numbers of `architectures`, as rows `(n, 1)`."""
        new = [a for a in dict.fromkeys(architectures) if a.hash not in self._number]
        if new:
            for a in new:
                self._number[a.hash] = len(self._number)
            self._parts.append(neighbourhood_counts(new, number=self._columns))
            self._counts = None
        return np.array([[self._number[a.hash]] for a in architectures], float)

    def kernel(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the normalised kernel between numbered architectures, `(len, len)`."""
        counts, norms = self._all_counts()
        # products of counts are whole numbers: no rounding that depends on the order of columns
        products = (counts[first] @ counts[second].T).toarray()
        return products / np.outer(norms[first], norms[second])

    def _all_counts(self) -> tuple[csr_array, np.ndarray]:
        """Every row counted so far, in the columns of the newest, and its length."""
        if self._counts is None:
            for part in self._parts:
                part.resize(part.shape[0], len(self._columns))
            counts = vstack(self._parts, format="csr")
            norms = np.sqrt(counts.multiply(counts).sum(axis=1))
            self._parts, self._counts = [counts], (counts, norms)
        return self._counts


class GraphKernel(Kernel):
    """The kernel of `KnownGraphs` for GPyTorch; inputs are numbers of architectures."""

    has_lengthscale = False

    def __init__(self, graphs: KnownGraphs):
        super().__init__()
        self._graphs = graphs

    def forward(self, x1, x2, diag=False, **params):  # noqa: FBT002
        """Return the kernel between `(..., n, 1)` and `(..., m, 1)`: `(..., n, m)`."""
        if diag:  # only ever asked for of equal inputs
            return torch.ones(x1.shape[:-1], dtype=x1.dtype)
        (first, rows), (second, columns) = _distinct(x1), _distinct(x2)
        block = torch.as_tensor(self._graphs.kernel(first, second))
        return block[rows[..., :, None], columns[..., None, :]]


def _distinct(inputs: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    numbers, places = torch.unique(inputs[..., 0].round().long(), return_inverse=True)
    return numbers.numpy(), places
