"""How a run went: one row for each trial that ended, in the order they ended."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nas.evaluation.measured import values_of
from nas.tables.trials import typed
from surrogates.domination.running import Front
from surrogates.domination.volume import volume_above
from surrogates.objectives import sign_of, signs_of

_FIRST = ("order", "trial", "hash", "status", "fidelity", "finished_at", "elapsed_seconds")
_LAST = ("front_size", "hypervolume", "spent_seconds", "spent_gpu_hours", "spent_cost")

Sessions = Sequence[tuple[float, float]]


def history_table(
    records: Sequence[dict[str, Any]],
    objectives: Mapping[str, str],
    sessions: Sessions,
    *,
    price_per_hour: float | None = None,
) -> pd.DataFrame:
    """Return one row a trial that is done or failed; see `nas.runs.directory.Run.history`.

    Args:
        records: The journal's trials.
        objectives: Column to direction.
        sessions: When drivers were at work: (start, last seen), in seconds since the epoch.
        price_per_hour: Of one GPU, or of one trial's share of a machine without GPUs.
    """
    ended = [r for r in records if r["status"] in ("done", "failed")]
    ended.sort(key=lambda record: (record["finished_at"] or 0.0, record["trial"]))
    first, direction = next(iter(objectives.items()))
    values = _values(ended, objectives)
    comparable = np.isfinite(values).all(axis=1)
    spent = np.cumsum([r.get("spent_seconds") or r["seconds"] or 0.0 for r in ended])
    gpu = np.cumsum([r.get("gpu_seconds") or 0.0 for r in ended]) / 3600
    sizes, volumes, best = _so_far(values, comparable)
    rows = [
        {
            "order": position + 1,
            **{name: record[name] for name in ("trial", "hash", "status", "fidelity")},
            "finished_at": record["finished_at"],
            "elapsed_seconds": _at_work(record["finished_at"], sessions),
            **{name: _value(record, name) for name in objectives},
            f"best_{first}": sign_of(direction) * best[position],
            "front_size": sizes[position],
            "hypervolume": volumes[position],
            "spent_seconds": spent[position],
            "spent_gpu_hours": gpu[position],
            "spent_cost": _cost(spent[position], gpu[position], price_per_hour),
        }
        for position, record in enumerate(ended)
    ]
    columns = list(dict.fromkeys((*_FIRST, *objectives, f"best_{first}", *_LAST)))
    return typed(pd.DataFrame(rows, columns=columns))


def _values(ended: Sequence[dict[str, Any]], objectives: Mapping[str, str]) -> np.ndarray:
    """Return `(trials, objectives)`, larger better, NaN for what cannot be compared."""
    values = np.full((len(ended), len(objectives)), np.nan)
    highest = max((r["fidelity"] for r in ended if r["status"] == "done"), default=1.0)
    for row, record in enumerate(ended):
        if record["status"] == "done" and record["fidelity"] == highest:
            values[row] = [_value(record, name) for name in objectives]
    return values * signs_of(objectives)


def _value(record: dict[str, Any], name: str) -> float:
    if record["status"] != "done":
        return np.nan
    found = values_of(record, seconds=True).get(name)
    return np.nan if found is None else float(found)


def _so_far(
    values: np.ndarray, comparable: np.ndarray
) -> tuple[list[int], list[float], np.ndarray]:
    """Return the front's size, the share of the box it dominates and the best value, each so far.

    The box is between the worst and the best values of all trials that ended, so that the last row
    is what `hypervolume(normalised=True)` gives.
    """
    kept = values[comparable]
    low, high = (kept.min(axis=0), kept.max(axis=0)) if len(kept) else (None, None)
    box = float(np.prod(high - low)) if len(kept) else 0.0
    front = Front()
    sizes, volumes, best = [], [], np.full(len(values), np.nan)
    volume, top = 0.0, np.nan
    for row, value in enumerate(values):
        if comparable[row]:
            top = np.nanmax([top, value[0]])
            if front.add(value.tolist()):
                volume = volume_above(np.array(front.rows), low) / box if box > 0 else 0.0
        best[row] = top
        sizes.append(len(front))
        volumes.append(min(1.0, volume))
    return sizes, volumes, best


def _at_work(moment: float | None, sessions: Sessions) -> float:
    """Return the seconds that drivers were at work until `moment`, pauses left out."""
    if moment is None:
        return np.nan
    return sum(max(0.0, min(moment, seen) - start) for start, seen in sessions)


def _cost(seconds: float, gpu_hours: float, price_per_hour: float | None) -> float:
    if price_per_hour is None:
        return np.nan
    return (gpu_hours or seconds / 3600) * price_per_hour
