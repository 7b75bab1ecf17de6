"""Noisy expected improvement by BoTorch, over our surrogates: what was told is doubted too.

Source: Daulton, Balandat, Bakshy, "Parallel Bayesian Optimization of Multiple Noisy Objectives with
Expected Hypervolume Improvement", NeurIPS 2021; Ament, Daulton, Eriksson, Balandat, Bakshy,
"Unexpected Improvements to Expected Improvement for Bayesian Optimization", NeurIPS 2023 (the
logarithms); Letham, Karrer, Ottoni, Bakshy, "Constrained Bayesian Optimization with Noisy
Experiments", Bayesian Analysis 2019 (one objective).

Importing this loads BoTorch; only the option that asks for it does.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
from botorch.acquisition.multi_objective.utils import prune_inferior_points_multi_objective
from botorch.acquisition.objective import GenericMCObjective
from botorch.acquisition.utils import prune_inferior_points
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.sampling import manual_seed

from surrogates.models.botorch_model import TableModel, positions
from surrogates.models.compilation import never_compile

SAMPLES, PRUNING = 64, 256  # for the gain, and for what of the told points may be the best


def noisy_improvement(
    mean: np.ndarray,
    covariance: np.ndarray,
    known: int,
    to_values: Callable[[np.ndarray], np.ndarray],
    reference: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Return the expected gain of each candidate over what the known points may truly be, `(n,)`.

    Args:
        mean: Of the known points, then of `n` candidates, `(known + n, outcomes)`.
        covariance: Of each outcome between all of them, `(outcomes, known + n, known + n)`.
        known: How many were told or are assumed, one or more.
        to_values: Turns samples of outcomes, `(..., outcomes)`, into objectives of the same shape,
            larger is better.
        reference: The point from which hypervolume is measured, `(outcomes,)`; not used for one.
        seed: Of the samples.
    """
    model, baseline = TableModel(mean, covariance), positions(0, known)[:, 0]
    one = mean.shape[1] == 1

    def objectives(samples: torch.Tensor, X=None) -> torch.Tensor:  # noqa: N803
        values = torch.as_tensor(to_values(samples.numpy()))
        return values[..., 0] if one else values

    settings = {"sampler": SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed)}
    settings |= {"prune_baseline": False, "cache_root": False}
    # pruning draws samples of its own
    with manual_seed(seed), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # on numerics: nothing a user could act on
        if one:
            settings["objective"] = GenericMCObjective(objectives)
            kept = prune_inferior_points(
                model, baseline, settings["objective"], num_samples=PRUNING
            )
            gain = qLogNoisyExpectedImprovement(model, X_baseline=kept, **settings)
        else:
            settings["objective"] = GenericMCMultiOutputObjective(objectives)
            at = torch.as_tensor(reference)
            kept = prune_inferior_points_multi_objective(
                model, baseline, at, settings["objective"], num_samples=PRUNING
            )
            # with nothing above the reference point all of them stay
            kept = kept if len(kept) else baseline
            never_compile()
            gain = qLogNoisyExpectedHypervolumeImprovement(
                model, at.tolist(), X_baseline=kept, **settings
            )
        return gain(positions(known, len(mean))).exp().numpy()
