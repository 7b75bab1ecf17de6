"""Trials as a DataFrame: tidy columns, units in their names, stable types."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

_FIRST = ("trial", "hash", "status", "fidelity", "glue")
_COSTS = ("parameters", "flops", "latency_ms", "peak_memory_mb")
_LAST = (
    "seconds", "recipe", "cause", "error", "attempts", "node", "device", "worker", "continues",
    "architecture",
)  # fmt: skip
_INTEGERS = ("trial", "parameters", "flops", "attempts", "worker", "continues")
_TEXT = ("hash", "status", "recipe", "cause", "error", "node", "device")


def trial_table(records: Sequence[dict[str, Any]], *, preset: str | None) -> pd.DataFrame:
    """Return one row a trial from the journal's records; see `nas.runs.Run.trials`."""
    rows = [
        {
            **{name: record[name] for name in ("trial", "hash", "status", "fidelity")},
            **record["scores"],
            **record["costs"],
            **{name: record.get(name) for name in _LAST if name != "recipe"},
            "recipe": preset,
        }
        for record in records
    ]
    tasks = list(dict.fromkeys(name for record in records for name in record["scores"]))
    columns = list(dict.fromkeys((*_FIRST, *tasks, *_COSTS, *_LAST)))
    table = pd.DataFrame(rows, columns=columns)
    for name in columns:
        if name in _INTEGERS:
            table[name] = table[name].astype("Int64")
        elif name in _TEXT:
            table[name] = table[name].astype("string")
        elif name != "architecture":
            table[name] = table[name].astype("float64")
    return table


def at_highest_fidelity(table: pd.DataFrame) -> pd.DataFrame:
    """Return the finished trials of the highest fidelity that any trial finished at.

    Results at different fidelities cannot be compared: the best, the front and every export are of
    the highest alone.
    """
    done = table[table["status"] == "done"]
    return done[done["fidelity"] == done["fidelity"].max()]
