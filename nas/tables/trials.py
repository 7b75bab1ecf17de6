"""Trials as a DataFrame: tidy columns, units in their names, types that never change.

A column has the same type whether the table has no row, only failures, or a million results:
whole numbers are Int64, text is string, times are datetime64[us, UTC], everything measured is
float64; absent values are missing.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nas.evaluation.mean_score import GLUE_MEAN, MEAN, mean_name
from nas.evaluation.measured import CHOSEN, values_of
from nas.tables.frames import OBJECTS, ResultFrame
from search_spaces.kinds import RECIPE_SLOTS
from search_spaces.parts import read_value

_FIRST = ("trial", "hash", "status", "fidelity")
_COSTS = ("parameters", "flops", "latency_ms", "peak_memory_mb")
_LAST = (
    "seconds", "recipe", "cause", "error", "attempts", "node", "device", "worker", "continues",
    "spent_seconds", "gpu_seconds", "asked_at", "started_at", "finished_at", "architecture",
)  # fmt: skip
_INTEGERS = (
    "trial", "parameters", "flops", "attempts", "worker", "continues", "order", "front_size",
    "pending_count",
)  # fmt: skip
_TEXT = (
    "run", "hash", "status", "recipe", "cause", "error", "node", "device", "reason", "parent",
)  # fmt: skip
_TIMES = ("asked_at", "started_at", "finished_at")


def trial_table(
    records: Sequence[dict[str, Any]], *, preset: str | None, scores: Sequence[str] = ()
) -> ResultFrame:
    """Return one row a trial from the journal's records; see `nas.runs.directory.Run.trials`.

    Args:
        records: Of the journal.
        preset: Name of the training recipe.
        scores: Columns that are there even before a trial reports them, such as the run's tasks.
    """
    rows = [
        {
            **values_of(record),  # first: in an older record, a score may be called like a fact
            **{name: record[name] for name in ("trial", "hash", "status", "fidelity")},
            **{name: record.get(name) for name in _LAST if name != "recipe"},
            "recipe": preset,
            **_choices(record),
            **_budget(record),
        }
        for record in records
    ]
    found = dict.fromkeys(name for record in records for name in record["scores"])
    costs = dict.fromkeys(name for record in records for name in record["costs"])
    chosen = sorted({name for record in records for name in _choices(record)})
    seconds = ["budget_seconds"] if any(_budget(record) for record in records) else []
    mean = MEAN if scores and mean_name(scores) == MEAN else GLUE_MEAN
    columns = (*_FIRST, mean, *scores, *found, *chosen, *_COSTS, *costs, *seconds, *_LAST)
    columns = list(dict.fromkeys(columns))
    return typed(pd.DataFrame(rows, columns=columns))


def _choices(record: dict[str, Any]) -> dict[str, float | str]:
    """Return what the architecture of a trial chose of its recipe: numbers, and texts of slots."""
    chosen = (record.get("architecture") or {}).get("recipe") or {}
    values = {f"{CHOSEN}{name}": read_value(text) for name, text in chosen.items()}
    return {name: v if isinstance(v, str) else float(v) for name, v in values.items()}


def _budget(record: dict[str, Any]) -> dict[str, float]:
    """Return the seconds that a trial with a recipe of its own might spend on pre-training."""
    details = record.get("details") or {}
    return {name: details[name] for name in ("budget_seconds",) if name in details}


def typed(table: pd.DataFrame) -> ResultFrame:
    """Return `table` with the type of each column that its name stands for."""
    return ResultFrame(table.assign(**{name: _column(table[name]) for name in table.columns}))


def _column(column: pd.Series) -> pd.Series:
    if column.name in _INTEGERS:
        try:
            return column.astype("Int64")
        except (TypeError, ValueError, OverflowError):  # an older record counts in fractions
            return _measured(column)
    if column.name in _TEXT or _is_slot(str(column.name)):
        return column.astype("string")
    if column.name in _TIMES:
        if not isinstance(column.dtype, pd.DatetimeTZDtype):
            column = pd.to_datetime(column.astype("float64"), unit="s", utc=True)
        return column.astype("datetime64[us, UTC]")
    if column.name in OBJECTS:
        return column.astype(object)
    return _measured(column)


def _measured(column: pd.Series) -> pd.Series:
    try:
        return column.astype("float64")
    except (TypeError, ValueError, OverflowError):  # an older record has what is refused today
        return pd.to_numeric(column.map(_float), errors="coerce").astype("float64")


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_slot(name: str) -> bool:
    return name.startswith(CHOSEN) and name.removeprefix(CHOSEN) in RECIPE_SLOTS


def at_highest_fidelity(table: pd.DataFrame) -> pd.DataFrame:
    """Return the finished trials of the highest fidelity that any trial finished at.

    Results at different fidelities cannot be compared: the best, the front and every export are of
    the highest alone.
    """
    done = table[table["status"] == "done"]
    return done[done["fidelity"] == done["fidelity"].max()]
