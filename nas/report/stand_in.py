"""A stand-in for training: a Gaussian process over a run's trials that answers at once.

It lets other policies be tried on what the run learned. Its answers are guesses, so whatever is
computed with it is an estimate and is shown as one.
"""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture
from search_spaces.architectures.facts import Columns
from search_spaces.architectures.features import encode_features

MOST = 300  # trials it learns from
FOLDS = 5


class StandIn:
    """A Gaussian process on an architecture's size, shape, operations, slots and recipe.

    Args:
        architectures: What was trained.
        values: What came out, `(n,)`.
        seed: Draws which trials are used, where there are many.

    Attributes:
        learned: From how many trials.
        trust: Rank correlation of predictions with outcomes of trials left out of the fit.
    """

    def __init__(self, architectures: Sequence[Architecture], values: np.ndarray, seed: int = 0):
        from scipy.stats import spearmanr

        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(values))[:MOST]
        self.learned = len(chosen)
        learned = [architectures[i] for i in chosen]
        self._columns = Columns.among(learned)
        rows, values = encode(learned, self._columns), np.asarray(values)[chosen]
        self._mean, self._scale = rows.mean(0), rows.std(0)
        self._scale[self._scale < 1e-9] = 1.0
        self._low, self._spread = values.mean(), values.std() or 1.0
        rows, targets = (rows - self._mean) / self._scale, (values - self._low) / self._spread
        self._model = _process(rows, targets)
        held = np.empty(len(targets))
        for fold in range(FOLDS):
            test = np.arange(len(targets)) % FOLDS == fold
            model = _process(rows[~test], targets[~test], self._model.kernel_)
            held[test] = model.predict(rows[test])
        trust = spearmanr(held, targets).statistic if np.ptp(held) > 0 else 0.0
        self.trust = float(np.nan_to_num(trust))

    def __call__(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of what training would give, noise included."""
        rows = (encode(architectures, self._columns) - self._mean) / self._scale
        mean, spread = self._model.predict(rows, return_std=True)
        return self._low + self._spread * mean, self._spread * spread


def encode(architectures: Sequence[Architecture], columns: Columns | None = None) -> np.ndarray:
    """Return the means over the layers of `encode_features`, depth and the log of the size.

    What varies in slots and recipe follows: means over the layers, then those of the model.
    """
    deepest = max(len(architecture) for architecture in architectures)
    totals = 1 + 12  # totals come first: depth, log2 parameters, eleven means
    rows = encode_features(architectures, deepest)[:, :totals]
    if not columns:
        return rows
    layers = [
        np.mean([columns.of_layer(layer) for layer in architecture.layers], axis=0)
        for architecture in architectures
    ]
    return np.hstack([rows, np.array(layers), columns.of_models(architectures)])


def _process(rows: np.ndarray, targets: np.ndarray, kernel=None):
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

    optimizer = "fmin_l_bfgs_b" if kernel is None else None
    kernel = kernel or (
        ConstantKernel(0.5, (0.01, 10)) * Matern(4.0, (1.0, 30.0), nu=2.5)
        + ConstantKernel(0.05, (1e-3, 1.0)) * DotProduct(1.0, "fixed")
        + WhiteKernel(0.2, (0.01, 1.0))
    )
    with warnings.catch_warnings():
        # a length scale at its bound is a fine answer here
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, optimizer=optimizer).fit(rows, targets)
