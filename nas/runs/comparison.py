"""Runs beside each other: fronts by one measure, the best, budgets, settings."""

from typing import Any

import pandas as pd

from nas.config import read_settings
from nas.pareto.fronts import best, hypervolume, pareto_front
from nas.runs.rows import readable
from nas.runs.several import SeveralRuns
from search_spaces.errors import RunError, UnknownName, quoted

# Settings that say where a run was made or what it is called, not what it searched.
_ASIDE = ("name",)


def compare_runs(runs: SeveralRuns, objectives: dict[str, str] | None = None) -> dict[str, Any]:
    """Return what distinguishes `runs`.

    Keys: objectives; reference and ideal (the worst and the best value of each objective in any of
    the runs, so that the hypervolumes, shares of the box between them, are comparable); summary (a
    DataFrame, one row a run); fronts (a DataFrame with the column "run": the common front of all
    runs together says in "on_common_front" who contributes); settings (setting to values by run,
    only those that differ).

    Raises:
        RunError: A run without finished trials, or runs without a common objective.
        UnknownName: An objective that is no column.
    """
    with readable(f"The record of {runs.where}"):
        return _compared(runs, objectives or runs.objectives)


def _compared(runs: SeveralRuns, objectives: dict[str, str]) -> dict[str, Any]:
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
    return {
        "objectives": objectives,
        "reference": worst,
        "ideal": ideal,
        "summary": pd.DataFrame(rows),
        "fronts": fronts,
        "settings": settings_that_differ(runs),
    }


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


def settings_that_differ(runs: SeveralRuns) -> dict[str, dict[str, Any]]:
    """Return setting to its value in each run, for the settings that are not equal in all."""
    flat = {
        name: dict(_leaves(read_settings(run.directory / "experiment.yaml")))
        for name, run in zip(runs.names, runs.runs, strict=True)
    }
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    found = {key: {name: settings.get(key) for name, settings in flat.items()} for key in keys}
    return {
        key: values
        for key, values in found.items()
        if key not in _ASIDE and len({repr(value) for value in values.values()}) > 1
    }


def _leaves(settings: dict[str, Any], prefix: str = ""):
    for key, value in settings.items():
        if isinstance(value, dict) and key != "objectives":
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
