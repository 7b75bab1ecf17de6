"""From the order in which rows were evaluated to figures: regret, time to the best, hypervolume."""

import numpy as np
import pandas as pd

from nas.pareto.fronts import hypervolume, non_dominated

FIRST, LAST = 6, 50  # evaluations whose regret is averaged
AFTER = (20, 50, 100)  # evaluations after which the best so far is reported
QUERIES = (20, 50)  # proposals after which the hypervolume is reported


def top_threshold(values: np.ndarray) -> float:
    """Return the smallest value, larger is better, among the best 1 % (at least one row)."""
    return float(np.sort(values)[::-1][max(1, round(len(values) / 100)) - 1])


def evaluations_to(values: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """Return the evaluations until one of the top 1 %, and until the best; infinite if never.

    Args:
        values: Of the whole table, `(n,)`, larger is better.
        rows: In the order of evaluation.
    """
    found = values[rows]
    goals = (top_threshold(values), values.max())
    to_top, to_best = (
        float(np.argmax(found >= goal)) + 1 if (found >= goal).any() else np.inf for goal in goals
    )
    return to_top, to_best


def regret_curve(values: np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
    """Return best of the table minus best so far after each evaluation, `(length,)`.

    A search that ended earlier keeps its last value.
    """
    best = np.maximum.accumulate(values[rows][:length])
    return values.max() - np.pad(best, (0, length - len(best)), mode="edge")


def regret_window(budget: int) -> tuple[int, int]:
    """Return the first and last evaluation whose regret counts, within `budget`."""
    last = min(LAST, budget)
    return min(FIRST, last), last


def mean_regret(values: np.ndarray, rows: np.ndarray, budget: int) -> float:
    """Return the regret averaged over `regret_window(budget)`, in the values' unit."""
    first, last = regret_window(budget)
    return float(regret_curve(values, rows, last)[first - 1 :].mean())


def hypervolume_curve(values: np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
    """Return the hypervolume after each evaluation, relative to the whole table, `(length,)`.

    The reference point is the worst value of each objective. Scaling the objectives does not
    change the ratio.

    Args:
        values: Objectives of the whole table, larger is better, `(n, objectives)`.
        rows: In the order of evaluation.
        length: A search that ended earlier keeps its last value.
    """
    names = [f"objective {i}" for i in range(values.shape[1])]
    directions = dict.fromkeys(names, "max")
    span = np.ptp(values, axis=0)
    scaled = (values - values.min(axis=0)) / np.where(span > 0, span, 1.0)
    corner = dict.fromkeys(names, 0.0)

    def volume(points: np.ndarray) -> float:
        return hypervolume(pd.DataFrame(points, columns=names), reference=corner, **directions)

    whole = volume(scaled)
    curve, front = [], scaled[:0]
    for point in scaled[rows][:length]:
        grown = np.vstack([front, point])
        kept = non_dominated(grown)
        # Only a point on the front changes the volume, which is what takes time.
        if kept[-1] or not curve:
            front = grown[kept]
            curve.append(volume(front) / whole if whole > 0 else 1.0)
        else:
            curve.append(curve[-1])
    return np.pad(np.array(curve), (0, length - len(curve)), mode="edge")


def run_scores(values: np.ndarray, rows: np.ndarray, given: int, budget: int) -> dict[str, float]:
    """Return the figures of one search; `values` as in `Protocol.oriented`.

    One objective: "regret", "to_top", "to_best" and "best_after_N" (larger is better; NaN beyond
    the budget). Several: "hypervolume_N" after N proposals.
    """
    if values.shape[1] > 1:
        curve = hypervolume_curve(values, rows, budget)
        return {
            f"hypervolume_{n}": curve[given + n - 1] if given + n <= budget else np.nan
            for n in QUERIES
        }
    single = values[:, 0]
    to_top, to_best = evaluations_to(single, rows)
    left = regret_curve(single, rows, max(*AFTER, budget))
    everything = budget >= len(values)
    after = {
        f"best_after_{n}": single.max() - left[n - 1] if n <= budget or everything else np.nan
        for n in AFTER
    }
    return {
        "regret": mean_regret(single, rows, budget),
        "to_top": to_top,
        "to_best": to_best,
        **after,
    }
