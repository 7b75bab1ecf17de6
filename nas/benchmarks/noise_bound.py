"""What the noise of a table lets any policy reach.

Training twice gives two scores, so that part of a table's order is luck. Assuming a noise, a
plausible truth is made by shrinking each row towards the mean of its cell (layers, first width);
new noise is drawn on it, and whoever knows the truth plays against the result.

Source: the shrinkage is that of James and Stein, "Estimation with quadratic loss", 1961.
Differs on purpose: it is optimistic, since all spread within a cell beyond the noise counts as
something an architecture could explain.
"""

from dataclasses import dataclass

import numpy as np

from nas.benchmarks.calibration import rank_correlations
from nas.benchmarks.policy_scores import evaluations_to, mean_regret

DEFAULT_NOISE = 0.006  # sd of a GLUE score in [0, 1] between two trainings
_FEW = 5  # a smaller cell takes the variance of all cells together


@dataclass(frozen=True)
class NoiseBound:
    """What is out of reach because of noise.

    Attributes:
        noise: Assumed standard deviation between trainings, in the metric's unit.
        tau: Kendall correlation of the truth with a noisy table: no prediction can expect more.
        rho: The same by Spearman.
        oracle_to_best: Evaluations to the best row, trying the truly best first: median, quartiles.
        oracle_to_top: To one of the top 1 %, likewise.
        oracle_regret: Its mean regret, in the metric's unit, on the regret's window.
        cell_to_best: The same for one who knows the cells' order and guesses inside them, on the
            table as it is.
        cell_to_top: Evaluations to one of the top 1 %, likewise.
        cell_regret: Mean regret, likewise.
    """

    noise: float
    tau: float
    rho: float
    oracle_to_best: tuple[float, float, float]
    oracle_to_top: tuple[float, float, float]
    oracle_regret: float
    cell_to_best: tuple[float, float, float]
    cell_to_top: tuple[float, float, float]
    cell_regret: float


def noise_bound(
    values: np.ndarray,
    cells: np.ndarray,
    noise: float,
    *,
    given: int = 0,
    budget: int | None = None,
    simulations: int = 500,
    seed: int = 0,
) -> NoiseBound:
    """Estimate the bound by simulation.

    Args:
        values: Of every row, `(n,)`, larger is better.
        cells: Group of every row, `(n,)` integers.
        noise: Standard deviation between trainings, in the unit of `values`.
        given: Random rows evaluated first, as in the protocol.
        budget: Evaluations in all; by default every row.
        simulations: How many tables are drawn.
        seed: Of the draws.
    """
    rng, budget = np.random.default_rng(seed), budget or len(values)
    truth = shrink(values, cells, noise)
    means = np.bincount(cells, values) / np.bincount(cells)
    taus, rhos, oracle, cell = [], [], [], []
    for _ in range(simulations):
        drawn = truth + noise * rng.standard_normal(len(truth))
        tau, rho = rank_correlations(truth, drawn)
        taus.append(tau)
        rhos.append(rho)
        first = rng.choice(len(values), min(given, len(values)), replace=False)
        oracle.append(_played(drawn, _behind(first, np.argsort(-truth, kind="stable")), budget))
        # Sorting by cell, a random order decides inside.
        shuffled = rng.permutation(len(values))
        guess = shuffled[np.argsort(-means[cells[shuffled]], kind="stable")]
        cell.append(_played(values, _behind(first, guess), budget))
    to_best, to_top, regret = np.array(oracle).T
    cell_best, cell_top, cell_regret = np.array(cell).T
    return NoiseBound(
        noise=noise,
        tau=float(np.mean(taus)),
        rho=float(np.mean(rhos)),
        oracle_to_best=_quartiles(to_best),
        oracle_to_top=_quartiles(to_top),
        oracle_regret=float(regret.mean()),
        cell_to_best=_quartiles(cell_best),
        cell_to_top=_quartiles(cell_top),
        cell_regret=float(cell_regret.mean()),
    )


def shrink(values: np.ndarray, cells: np.ndarray, noise: float) -> np.ndarray:
    """Move each row towards the mean of its cell by the share of the variance that is noise."""
    counts = np.bincount(cells)
    means = np.bincount(cells, values) / counts
    squares = np.bincount(cells, (values - means[cells]) ** 2)
    pooled = squares.sum() / max(1, len(values) - np.count_nonzero(counts))
    variance = np.where(counts >= _FEW, squares / np.maximum(counts - 1, 1), pooled)
    kept = np.clip(1 - noise**2 / np.where(variance > 0, variance, np.inf), 0.0, 1.0)
    return means[cells] + kept[cells] * (values - means[cells])


def _behind(first: np.ndarray, order: np.ndarray) -> np.ndarray:
    return np.concatenate([first, order[~np.isin(order, first)]]).astype(int)


def _played(values: np.ndarray, order: np.ndarray, budget: int) -> tuple[float, float, float]:
    """Return evaluations to the best and to the top 1 %, and the mean regret, of `order`."""
    to_top, to_best = evaluations_to(values, order)
    return to_best, to_top, mean_regret(values, order, budget)


def _quartiles(values: np.ndarray) -> tuple[float, float, float]:
    middle, low, high = np.quantile(values, [0.5, 0.25, 0.75])
    return float(middle), float(low), float(high)
