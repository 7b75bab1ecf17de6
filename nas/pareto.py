"""Pareto fronts of tables: pandas in, pandas out.

Objectives are given by column, `glue="max", latency_ms="min"`; rows that lack a value in one of
them are left out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from search_spaces.errors import NasError, UnknownName


def _oriented(table: pd.DataFrame, objectives: dict[str, str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the complete rows and their values, `(rows, objectives)`, larger better."""
    if not objectives:
        raise NasError("No objective was given. Write for instance glue='max', latency_ms='min'.")
    for name, direction in objectives.items():
        if name not in table.columns:
            numeric = table.select_dtypes("number").columns
            raise UnknownName("objective", name, numeric)
        if direction not in ("max", "min"):
            raise NasError(f"{name}={direction!r} is no direction. Write {name}='max' or 'min'.")
    values = table[list(objectives)].to_numpy(dtype=float, na_value=np.nan)
    complete = np.isfinite(values).all(axis=1)
    signs = np.array([1.0 if d == "max" else -1.0 for d in objectives.values()])
    return table[complete], values[complete] * signs


def non_dominated(values: np.ndarray) -> np.ndarray:
    """Return which rows of `values`, `(rows, objectives)`, larger better, no other row dominates.

    Equal rows do not dominate each other: all of them are kept. Two objectives take
    O(rows log rows); more take O(rows · front).
    """
    keep = np.zeros(len(values), dtype=bool)
    if not len(values):
        return keep
    unique, inverse = np.unique(values, axis=0, return_inverse=True)
    unique, front = unique[::-1], np.zeros(len(unique), dtype=bool)
    if unique.shape[1] <= 2:
        # Sorted by the first objective, a row survives if it raises the best second one so far.
        best = np.maximum.accumulate(unique[:, -1])
        front[0] = True
        front[1:] = unique[1:, -1] > best[:-1] if unique.shape[1] == 2 else False
    else:
        # No later row of the sorted table can dominate an earlier one.
        members = np.empty_like(unique)
        size = 0
        for row, value in enumerate(unique):
            if not (members[:size] >= value).all(axis=1).any():
                members[size], front[row], size = value, True, size + 1
    return front[::-1][inverse.reshape(-1)]


def pareto_front(table: pd.DataFrame, **objectives: str) -> pd.DataFrame:
    """Return the rows of `table` that no other row beats, sorted by the first objective.

    Raises:
        UnknownName: An objective that is no column.
        NasError: A direction other than "max" or "min", or no objective.
    """
    rows, values = _oriented(table, objectives)
    kept = non_dominated(values)
    order = np.argsort(-values[kept, 0], kind="stable")
    return rows[kept].iloc[order]


def hypervolume(
    table: pd.DataFrame, *, reference: dict[str, float] | None = None, **objectives: str
) -> float:
    """Return the volume that the front of `table` dominates, in the objectives' own units.

    Args:
        table: Rows to measure.
        reference: The point where the volume ends; by default the worst value of each objective.
        objectives: Column to direction.
    """
    rows, values = _oriented(table, objectives)
    if not len(values):
        return 0.0
    if reference is None:
        corner = values.min(axis=0)
    else:
        signs = [1.0 if d == "max" else -1.0 for d in objectives.values()]
        corner = np.array([reference[n] for n in objectives]) * signs
    front = np.unique(np.maximum(values[non_dominated(values)] - corner, 0.0), axis=0)
    return _volume(front)


def _volume(front: np.ndarray) -> float:
    """Return the volume between the origin and `front`, `(rows, objectives)`, by slicing."""
    if front.shape[1] == 1:
        return float(front.max())
    front = front[np.argsort(front[:, 0])]
    total, low = 0.0, 0.0
    for row in range(len(front)):
        thickness = front[row, 0] - low
        if thickness > 0:
            rest = front[row:, 1:]
            total += thickness * _volume(rest[non_dominated(rest)])
        low = front[row, 0]
    return total


def knee(table: pd.DataFrame, **objectives: str) -> pd.DataFrame:
    """Return the one row of the front nearest to the ideal point, each objective scaled to [0, 1].

    Raises:
        NasError: No row has all objectives.
    """
    front = pareto_front(table, **objectives)
    if front.empty:
        raise NasError("No row has a value in every objective, so there is no knee.")
    _, values = _oriented(front, objectives)
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (high - values) / np.where(high > low, high - low, 1.0)
    return front.iloc[[int(np.argmin((scaled**2).sum(axis=1)))]]


def non_dominated_rows(rows: Sequence[Sequence[float]], directions: Sequence[str]) -> list[int]:
    """Return the positions of the non-dominated `rows`, one value and direction an objective."""
    if not rows:
        return []
    signs = np.array([1.0 if direction == "max" else -1.0 for direction in directions])
    return np.flatnonzero(non_dominated(np.asarray(rows, dtype=float) * signs)).tolist()
