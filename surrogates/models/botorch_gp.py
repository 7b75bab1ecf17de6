"""A Gaussian process of BoTorch as a surrogate model.

Source: Balandat et al., "BoTorch: A Framework for Efficient Monte-Carlo Bayesian Optimization",
NeurIPS 2020; the default kernel and priors: Hvarfner, Hellsten, Nardi, "Vanilla Bayesian
Optimization Performs Great in High Dimensions", ICML 2024.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from botorch.models import SingleTaskGP
from botorch.optim.fit import fit_gpytorch_mll_scipy
from gpytorch import ExactMarginalLogLikelihood
from gpytorch.kernels import Kernel
from torch import Tensor

from search_spaces import Architecture
from surrogates.models.model import Belief, Model

STEPS = 40  # of L-BFGS, so that an ask takes tenths of a second with a hundred results
CHUNK = 512  # architectures predicted at once

# turns architectures into rows `(n, columns)`, the same columns at every call
Rows = Callable[[Sequence[Architecture]], np.ndarray]


class BotorchGP(Model):
    """`SingleTaskGP` with fitted hyper-parameters, in double precision.

    Args:
        make_rows: Given what was told, returns what turns architectures into rows.
        make_kernel: Given a row's columns, builds a kernel; None is BoTorch's default.
    """

    def __init__(
        self,
        make_rows: Callable[[Sequence[Architecture]], Rows],
        make_kernel: Callable[[int], Kernel] | None = None,
    ):
        self._make_rows, self._make_kernel = make_rows, make_kernel

    def fit(self, architectures, targets, rng):
        self._rows = self._make_rows(architectures)
        rows = torch.as_tensor(self._rows(architectures))
        kernel = self._make_kernel(rows.shape[1]) if self._make_kernel else None
        self.gp = fitted_gp(rows, torch.as_tensor(np.array(targets, float)), kernel)

    def believe(self, architectures):
        rows = torch.as_tensor(self._rows(architectures))
        parts = []
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for chunk in rows.split(CHUNK):
                belief = self.gp.posterior(chunk[:, None])  # one by one: no joint covariance
                parts.append(torch.stack([belief.mean[:, 0, 0], belief.variance[:, 0, 0]]))
            noise = float(self.gp.likelihood.noise.mean()) ** 0.5
        mean, variance = torch.cat(parts, dim=1).numpy()
        return Belief(mean, np.sqrt(np.maximum(variance, 1e-12)), np.full(len(mean), noise))

    def assume(self, architectures, targets):
        rows = torch.as_tensor(self._rows(architectures))
        old, known = self.gp.train_inputs[0], self.gp.train_targets
        self.gp.set_train_data(
            torch.cat([old, rows]), torch.cat([known, torch.as_tensor(targets)]), strict=False
        )


def fitted_gp(
    rows: Tensor, targets: Tensor, kernel: Kernel | None = None, **settings
) -> SingleTaskGP:
    """Return a process with maximum a posteriori hyper-parameters.

    Args:
        rows: `(n, columns)`, float64.
        targets: Larger is better and roughly standard normal, `(n,)`.
        kernel: None is BoTorch's default.
        settings: For `SingleTaskGP`.
    """
    settings = {"outcome_transform": None, **settings}
    with warnings.catch_warnings():
        # on scaling, few results and the step limit: nothing a user could act on
        warnings.simplefilter("ignore")
        gp = SingleTaskGP(rows, targets[:, None], covar_module=kernel, **settings)
        fit_gpytorch_mll_scipy(
            ExactMarginalLogLikelihood(gp.likelihood, gp), options={"maxiter": STEPS}
        )
    return gp.eval()
