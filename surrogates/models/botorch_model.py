"""Our surrogates as a BoTorch model, so that its acquisition functions can be used as they are.

Importing this loads BoTorch; only policies with several objectives do.
"""

import numpy as np
import torch
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from torch import Tensor

JITTER = 1e-9  # exact outcomes have no variance, which a factorisation needs a trace of


class TableModel(Model):
    """Normal outcomes at a list of points, asked for by their position in it.

    Outcomes are independent of each other.

    Args:
        mean: `(points, outcomes)`.
        covariance: Of each outcome between the points, `(outcomes, points, points)`; or its
            variances alone, `(outcomes, points)`, where points are asked for one at a time. 0 where
            the outcome is exact.
    """

    def __init__(self, mean: np.ndarray, covariance: np.ndarray):
        super().__init__()
        self._mean = torch.as_tensor(mean, dtype=torch.float64)
        self._covariance = torch.as_tensor(covariance, dtype=torch.float64)

    @property
    def num_outputs(self) -> int:
        return self._mean.shape[1]

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size()

    def posterior(self, X: Tensor, *unused, **options) -> GPyTorchPosterior:  # noqa: N803
        """Return the belief at the positions `X`, `(..., q, 1)`, or `(..., 1, 1)` of variances."""
        at = X[..., 0].round().long()
        jitter = JITTER * torch.eye(at.shape[-1], dtype=torch.float64)
        beliefs = [
            MultivariateNormal(self._mean[at, j], _between(covariance, at) + jitter)
            for j, covariance in enumerate(self._covariance)
        ]
        if len(beliefs) == 1:
            return GPyTorchPosterior(beliefs[0])
        return GPyTorchPosterior(MultitaskMultivariateNormal.from_independent_mvns(beliefs))


def _between(covariance: Tensor, at: Tensor) -> Tensor:
    if covariance.dim() == 1:
        return covariance[at][..., None]
    return covariance[at[..., None], at[..., None, :]]


def positions(start: int, stop: int) -> Tensor:
    """Return the points `start` to `stop` - 1 as BoTorch wants candidates, `(n, 1, 1)`."""
    return torch.arange(start, stop, dtype=torch.float64)[:, None, None]
