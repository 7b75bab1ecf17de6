"""How well a policy predicts, and whether it knows how well: ranks, errors, and coverage."""

import time
from typing import Any

import numpy as np
import pandas as pd

from nas.benchmarks.protocol import Protocol
from nas.benchmarks.replay import forecast
from nas.benchmarks.tables import Table
from surrogates.objectives import EXACT

_NORMAL = 1.6448536269514722  # 90 % of a normal variable lie within this many sd
_SMALLEST_SD = 1e-9  # an sd of zero would make one miss infinitely bad
_SPLIT_SEEDS = 2000
# Evaluations whose predictions are judged together, as (first, last); the rest follows.
ROUNDS = ((1, 10), (11, 20), (21, 35), (36, 50), (51, 105))
FIGURES = ("tau", "rho", "rmse", "nll", "coverage")


def predict_split(
    table: Table, protocol: Protocol, name: str, split: int, rows: int
) -> dict[str, Any]:
    """Tell `rows` random rows to a policy and let it predict the others.

    The rows are drawn by `split` alone: the same for every policy, and fewer rows are a subset of
    more.

    Returns:
        "seconds" of CPU time to fit and predict, and "figures": objective to a value for each of
        `FIGURES`. A policy that cannot predict gets no figures.
    """
    order = np.random.default_rng(_SPLIT_SEEDS + split).permutation(len(table))
    train, rest = order[:rows], order[rows:]
    policy, told = protocol.policy(name, table, split), protocol.told(table)
    for row in train:
        policy.tell(table.architectures[row], told[row])
    begun = time.process_time()
    forecasts = forecast(policy, [table.architectures[row] for row in rest])
    seconds = time.process_time() - begun
    figures = {}
    for metric in protocol.objectives:
        if metric in EXACT or not forecasts:
            continue
        scale = table.points(metric)
        mean, sd = scale * np.array(forecasts[metric]).T
        figures[metric] = prediction_figures(mean, sd, scale * table.column(metric)[rest])
    return {"seconds": seconds, "figures": figures}


def prediction_figures(mean: np.ndarray, sd: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Compare predictions with results, all `(n,)` and in one unit.

    Returns:
        "tau" (Kendall) and "rho" (Spearman), 0 for a constant prediction; "rmse"; "nll", the mean
        negative log-likelihood of a normal distribution; "coverage" of its central 90 %.
    """
    tau, rho = rank_correlations(mean, actual)
    sd = np.maximum(sd, _SMALLEST_SD)
    z = (actual - mean) / sd
    return {
        "tau": tau,
        "rho": rho,
        "rmse": float(np.sqrt(np.mean((actual - mean) ** 2))),
        "nll": float(np.mean(0.5 * z**2 + np.log(sd) + 0.5 * np.log(2 * np.pi))),
        "coverage": float(np.mean(np.abs(z) <= _NORMAL)),
    }


def rank_correlations(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return Kendall's tau and Spearman's rho, 0 where one side is constant and ranks nothing."""
    from scipy.stats import kendalltau, spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0, 0.0
    tau, rho = (rank(first, second).statistic for rank in (kendalltau, spearmanr))
    return float(tau), float(rho)


def calibration_table(results: list[tuple[str, int, dict]]) -> pd.DataFrame:
    """Summarise splits, given as (policy, rows, result), by policy, objective and rows.

    Columns: for each of `FIGURES` and "seconds" the median, and the quartiles as `_q1`, `_q3`.
    """
    long = [
        {"policy": policy, "objective": objective, "rows": rows, **figures, "seconds": r["seconds"]}
        for policy, rows, r in results
        for objective, figures in r["figures"].items()
    ]
    if not long:
        return pd.DataFrame()
    groups = pd.DataFrame(long).groupby(["policy", "objective", "rows"], sort=False)
    values = groups[[*FIGURES, "seconds"]]
    low, middle, high = (values.quantile(q) for q in (0.25, 0.5, 0.75))
    table = middle.join(low.add_suffix("_q1")).join(high.add_suffix("_q3"))
    table.insert(0, "splits", groups.size())
    return table.reset_index()


def rounds_table(
    table: Table, results: list[tuple[str, int, dict]], given: int = 0
) -> pd.DataFrame:
    """Judge what policies expected of their proposals when they asked, by stretch of the search.

    Args:
        table: The results.
        results: (policy, batch, result of a replay with predictions).
        given: Evaluations before the first proposal.

    Returns:
        A row per policy, batch, objective and stretch of `ROUNDS`, with "predictions" (how many)
        and the `FIGURES` but for ranks.
    """
    long = []
    for policy, batch, result in results:
        for metric, noted in result.get("predictions", {}).items():
            if metric in EXACT or metric not in table.columns:
                continue
            scale, values = table.points(metric), table.column(metric)
            for at, mean, sd in noted:
                shown = [scale * v for v in (mean, sd, values[result["rows"][at]])]
                long.append((policy, batch, metric, _stretch(at + 1, given), *shown))
    keys = ["policy", "batch", "objective", "evaluations"]
    frame = pd.DataFrame(long, columns=[*keys, "mean", "sd", "actual"])
    rows = []
    for key, group in frame.groupby(keys, sort=False):
        figures = prediction_figures(*(group[c].to_numpy() for c in ("mean", "sd", "actual")))
        kept = {name: figures[name] for name in ("rmse", "nll", "coverage")}
        rows.append({**dict(zip(keys, key, strict=True)), "predictions": len(group), **kept})
    return pd.DataFrame(rows)


def _stretch(evaluation: int, given: int) -> str:
    for first, last in ROUNDS:
        if evaluation <= last:
            return f"{max(first, given + 1)}-{last}"
    return f">{ROUNDS[-1][1]}"
