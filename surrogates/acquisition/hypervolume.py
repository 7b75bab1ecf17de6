"""Expected hypervolume improvement: how much a candidate is expected to push the front outwards.

Source: Yang et al., "Efficient Computation of Expected Hypervolume Improvement Using Box
Decomposition Algorithms", Journal of Global Optimization 2019; computed by BoTorch for more than
two objectives.
Differs on purpose: the closed form, where Daulton, Balandat, Bakshy, "Parallel Bayesian
Optimization of Multiple Noisy Objectives with Expected Hypervolume Improvement", NeurIPS 2021, draw
samples of an uncertain front: ten thousand candidates take hundredths of a second, and no number
depends on a draw.
"""

import numpy as np
from scipy.special import ndtr

NO_DOUBT = 1e-9  # variance added, as with BoTorch: exact objectives have none


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
    if mean.shape[1] == 2:
        return _in_the_plane(mean, spread, front, reference)
    import torch
    from botorch.acquisition.multi_objective import ExpectedHypervolumeImprovement
    from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning

    from surrogates.models.botorch_model import TableModel, positions

    boxes = FastNondominatedPartitioning(torch.as_tensor(reference), torch.as_tensor(front))
    gain = ExpectedHypervolumeImprovement(
        TableModel(mean, (spread**2).T), reference.tolist(), boxes
    )
    with torch.no_grad():
        return gain(positions(0, len(mean))).numpy()


def _in_the_plane(
    mean: np.ndarray, spread: np.ndarray, front: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """Return the gain with two objectives, strip by strip between the points of the front."""
    steps = [(np.inf, reference[1])]
    for x, y in sorted(front[(front > reference).all(1)].tolist(), reverse=True):
        if y > steps[-1][1]:
            steps.append((x, y))
    right, floor = np.array(steps).T  # of each strip: where it ends, and what is covered below
    left = np.append(right[1:], reference[0])
    deviation = np.sqrt(spread**2 + NO_DOUBT)
    beyond = _excess(mean[:, 0], deviation[:, 0], np.append(right, left[-1]))
    widths = np.diff(beyond, axis=1)  # expected width that a point covers of each strip
    return (widths * _excess(mean[:, 1], deviation[:, 1], floor)).sum(1)


def _excess(mean: np.ndarray, spread: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return by how much normal values are expected to exceed each level, `(n, levels)`."""
    z = (mean[:, None] - levels) / spread[:, None]
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    z = np.maximum(z, -1e300)  # infinity times no chance would be no number
    return spread[:, None] * (z * ndtr(z) + density)
