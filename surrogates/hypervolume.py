"""Expected hypervolume improvement: how much a candidate is expected to push the front outwards.

Source: Yang et al., "Efficient Computation of Expected Hypervolume Improvement Using Box
Decomposition Algorithms", Journal of Global Optimization 2019; computed by BoTorch.
Differs on purpose: the closed form, where Daulton, Balandat, Bakshy, "Parallel Bayesian
Optimization of Multiple Noisy Objectives with Expected Hypervolume Improvement", NeurIPS 2021, draw
samples of an uncertain front: ten thousand candidates take hundredths of a second, and no number
depends on a draw.
"""

import numpy as np


def expected_hypervolume_improvement(
    mean: np.ndarray, spread: np.ndarray, front: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """Return the expected gain of independent normal beliefs over a known front, `(n,)`.

    Args:
        mean: Larger is better, `(n, objectives)`.
        spread: Standard deviations, `(n, objectives)`.
        front: Known points, `(m, objectives)`; dominated ones do no harm.
        reference: The point from which hypervolume is measured, `(objectives,)`.
    """
    import torch
    from botorch.acquisition.multi_objective import ExpectedHypervolumeImprovement
    from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning

    from surrogates.botorch_model import TableModel, positions

    boxes = FastNondominatedPartitioning(torch.as_tensor(reference), torch.as_tensor(front))
    gain = ExpectedHypervolumeImprovement(TableModel(mean, spread), reference.tolist(), boxes)
    with torch.no_grad():
        return gain(positions(0, len(mean))).numpy()
