"""Runs beside each other: fronts by one measure, the best, budgets, settings."""

from typing import Any

import numpy as np
import pandas as pd

from nas.pareto.attained import attained
from nas.pareto.fronts import best, hypervolume, pareto_front
from nas.runs.rows import readable
from nas.runs.several import SeveralRuns, settings_that_differ
from search_spaces.errors import RunError, UnknownName, quoted
from surrogates.objectives import sign_of


def compare_runs(
    runs: SeveralRuns, objectives: dict[str, str] | None = None, *, ranked: bool = True
) -> dict[str, Any]:
    """Return what distinguishes `runs`.

    With several objectives runs are judged by their hypervolume, and the best of the first stands
    beside it; with `ranked=False`, by nothing: each run stands for itself.

    Keys: ranked; objectives; reference and ideal (the worst and the best value of each objective in
    any of the runs, so that the hypervolumes, shares of the box between them, are comparable);
    summary (a DataFrame, one row a run); fronts (a DataFrame with the column "run": the common
    front of all runs together says in "on_common_front" who contributes); settings (setting to
    values by run, only those that differ); progress (a DataFrame: of each run, after each trial
    that ended, the seconds until then and the hypervolume); attained (a DataFrame: for each further
    objective at four bounds of it the best first one that each run has within, NaN for none).

    Raises:
        RunError: A run without finished trials, runs without a common objective, or runs to be
            ranked whose tasks, data, recipe or fidelity differ.
        UnknownName: An objective that is no column.
    """
    with readable(f"The record of {runs.where}"):
        return _compared(runs, objectives or runs.objectives, ranked=ranked)


def _compared(runs: SeveralRuns, objectives: dict[str, str], *, ranked: bool) -> dict[str, Any]:
    done = {}
    for name, run in zip(runs.names, runs.runs, strict=True):
        table = run.finished()
        if table.empty:
            raise RunError(
                f"The run {name!r} has no finished trial yet, so there is nothing to compare. "
                f"See how far it is with: nas status {quoted(run.directory)}"
            )
        done[name] = table
    for objective in objectives:
        for name, table in done.items():
            measured = [c for c in table.select_dtypes("number") if table[c].notna().any()]
            if objective not in measured:
                raise UnknownName(f"objective of the run {name!r}", objective, measured)
    if ranked:
        runs.require_alike(objectives)
    together = runs.finished()
    extremes = together[list(objectives)].astype(float).agg(["min", "max"])
    worst = {n: float(extremes[n]["min" if d == "max" else "max"]) for n, d in objectives.items()}
    ideal = {n: float(extremes[n]["max" if d == "max" else "min"]) for n, d in objectives.items()}
    fronts = pd.concat(
        [pareto_front(t, **objectives).assign(run=name) for name, t in done.items()],
        ignore_index=True,
    )
    common = pareto_front(fronts, **objectives)
    fronts["on_common_front"] = fronts.index.isin(common.index)
    rows = [
        {
            "run": name,
            **_summary(run, done[name], objectives, worst, ideal),
            "on_common_front": int(fronts.loc[fronts["run"] == name, "on_common_front"].sum()),
        }
        for name, run in zip(runs.names, runs.runs, strict=True)
    ]
    progress = [
        _progress(run, done[name], objectives, worst, ideal).assign(run=name)
        for name, run in zip(runs.names, runs.runs, strict=True)
    ]
    if not ranked:
        progress = [part.assign(hypervolume=float("nan")) for part in progress]
        fronts["on_common_front"] = None
        rows = [row | {"hypervolume": None, "on_common_front": None} for row in rows]
    elif len(objectives) > 1:
        rows.sort(key=lambda row: -row["hypervolume"])
    return {
        "ranked": ranked,
        "objectives": objectives,
        "reference": worst,
        "ideal": ideal,
        "summary": pd.DataFrame(rows),
        "fronts": fronts,
        "settings": settings_that_differ(runs),
        "progress": pd.concat(progress, ignore_index=True),
        "attained": _attained(done, objectives, fronts) if ranked else _attained({}, {}, fronts),
    }


def _attained(
    done: dict[str, pd.DataFrame], objectives: dict[str, str], fronts: pd.DataFrame
) -> pd.DataFrame:
    """What each run has within bounds: quartiles of what stands on the fronts, the strictest first.

    The last bound holds all of the fronts.
    """
    rows = []
    score = next(iter(objectives), "")
    for name, direction in list(objectives.items())[1:]:
        sign, up = sign_of(direction), sign_of(objectives[score])
        costs = sign * fronts[name].to_numpy(float)
        bounds = np.unique(np.quantile(costs, [0.75, 0.5, 0.25, 0.0], method="nearest"))[::-1]
        for run, table in done.items():
            both = table[[score, name]].astype(float).dropna()
            best = attained(up * both[score].to_numpy(), sign * both[name].to_numpy(), bounds)
            rows += [
                {"objective": name, "bound": sign * bound, "run": run, score: up * value}
                for bound, value in zip(bounds, best, strict=True)
            ]
    table = pd.DataFrame(rows, columns=["objective", "bound", "run", score])
    return table.replace([np.inf, -np.inf], np.nan)


def _progress(run, table, objectives, worst, ideal) -> pd.DataFrame:
    """After each trial that is compared: seconds at work, and what the trials so far dominate."""
    clock = run.history().set_index("trial")["elapsed_seconds"]
    ordered = table.assign(elapsed_seconds=table["trial"].map(clock))
    ordered = ordered.sort_values("elapsed_seconds", kind="stable")
    volumes = [
        hypervolume(
            ordered.iloc[: n + 1], reference=worst, ideal=ideal, normalised=True, **objectives
        )
        for n in range(len(ordered))
    ]
    return pd.DataFrame(
        {
            "trial": ordered["trial"].to_numpy(),
            "elapsed_seconds": ordered["elapsed_seconds"].to_numpy(),
            "hypervolume": volumes,
        }
    )


def _summary(run, table, objectives, worst, ideal) -> dict[str, Any]:
    from nas.runs.status import run_status

    status = run_status(run)
    first = next(iter(objectives))
    top = best(table, **objectives).iloc[0]
    volume = hypervolume(table, reference=worst, ideal=ideal, normalised=True, **objectives)
    return {
        "done": status["done"],
        "failed": status["failed"],
        f"best_{first}": float(top[first]),
        "best_trial": int(top["trial"]),
        "front_size": len(pareto_front(table, **objectives)),
        "hypervolume": volume,
        "elapsed_seconds": status["elapsed_seconds"],
        "spent_seconds": status["spent_seconds"],
        "spent_gpu_hours": status["spent_gpu_hours"],
        "state": status["state"],
    }
