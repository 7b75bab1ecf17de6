"""Pareto fronts of tables: pandas in, pandas out.

Objectives are given by column, `glue="max", latency_ms="min"`; rows that lack a value in one of
them are left out. Nothing here knows of runs: any DataFrame will do.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from nas.pareto.conditions import as_conditions, rows_where
from search_spaces.errors import NasError, UnknownName
from surrogates.domination.fronts import non_dominated
from surrogates.domination.volume import volume_above
from surrogates.objectives import sign_of, signs_of

__all__ = ["best", "hypervolume", "knee", "non_dominated", "non_dominated_rows", "pareto_front"]

Names = str | Sequence[str]


def oriented(table: pd.DataFrame, objectives: Mapping[str, str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the complete rows and their values, `(rows, objectives)`, larger better.

    Raises:
        UnknownName: An objective that is no column of numbers.
        NasError: A direction other than "max" or "min", or no objective.
    """
    if not objectives:
        raise NasError("No objective was given. Write for instance glue='max', latency_ms='min'.")
    numeric = table.select_dtypes("number").columns
    for name, direction in objectives.items():
        if name not in numeric:
            raise UnknownName("objective", name, numeric)
        if direction not in ("max", "min"):
            raise NasError(f"{name}={direction!r} is no direction. Write {name}='max' or 'min'.")
    values = table[list(objectives)].to_numpy(dtype=float, na_value=np.nan)
    complete = np.isfinite(values).all(axis=1)
    return table[complete], values[complete] * signs_of(objectives)


def pareto_front(
    table: pd.DataFrame,
    *,
    constraints: str | Iterable[str] = (),
    by: Names | None = None,
    **objectives: str,
) -> pd.DataFrame:
    """Return the rows of `table` that no other row beats, sorted by the first objective.

    Args:
        table: Any table.
        constraints: Conditions on columns that a row must meet, such as "parameters < 2e5".
        by: A column, or several: the front of each group of rows that are equal there, one
            below the other.
        objectives: Column to direction, "max" or "min"; as many as you like.

    Raises:
        UnknownName: An objective, constraint or group that is no column.
        NasError: A direction other than "max" or "min", or no objective.
    """
    if by is not None:
        parts = [pareto_front(part, **objectives) for part in groups(table, constraints, by)]
        return pd.concat(parts) if parts else table.iloc[:0]
    rows, values = oriented(constrained(table, constraints), objectives)
    kept = non_dominated(values)
    order = np.argsort(-values[kept, 0], kind="stable")
    return rows[kept].iloc[order]


def non_dominated_rows(rows: Sequence[Sequence[float]], directions: Sequence[str]) -> list[int]:
    """Return the positions of the non-dominated `rows`, one value and direction an objective."""
    if not rows:
        return []
    signs = [sign_of(direction) for direction in directions]
    return np.flatnonzero(non_dominated(np.asarray(rows, dtype=float) * signs)).tolist()


def constrained(table: pd.DataFrame, constraints: str | Iterable[str]) -> pd.DataFrame:
    """Return the rows that meet all `constraints`; see `nas.pareto.conditions`."""
    conditions = as_conditions(constraints)
    return rows_where(table, *conditions) if conditions else table


def groups(
    table: pd.DataFrame, constraints: str | Iterable[str], by: Names
) -> Iterable[pd.DataFrame]:
    """Yield the rows of `table` that meet `constraints`, one part a group, groups in their order.

    Raises:
        UnknownName: A group that is no column.
    """
    names = [by] if isinstance(by, str) else list(by)
    for name in names:
        if name not in table.columns:
            raise UnknownName("column", name, table.columns)
    for _, part in constrained(table, constraints).groupby(names, dropna=False):
        yield part


def best(
    table: pd.DataFrame,
    *,
    constraints: str | Iterable[str] = (),
    by: Names | None = None,
    **objectives: str,
) -> pd.DataFrame:
    """Return the one row (of each group) that is best in the first objective.

    Of equally good rows the best in the other objectives is taken: a cheap one.

    Raises:
        NasError: No row has all objectives and meets the constraints.
    """
    return _one(table, constraints, by, objectives, lambda front: 0, "best row")


def knee(
    table: pd.DataFrame,
    *,
    constraints: str | Iterable[str] = (),
    by: Names | None = None,
    **objectives: str,
) -> pd.DataFrame:
    """Return the one row of the front nearest to the ideal point, each objective scaled to [0, 1].

    The scale is linear and that of the front alone: 0 is the worst value of an objective that any
    row of the front has, 1 the best, whatever the rows behind it have. So the knee moves when a
    row joins an end of the front; take the logarithm of a column that spans magnitudes first. Of
    equally near rows the first is taken. With `by`, one row for each group.

    Raises:
        NasError: No row has all objectives and meets the constraints.
    """

    def nearest(front: pd.DataFrame) -> int:
        _, values = oriented(front, objectives)
        low, high = values.min(axis=0), values.max(axis=0)
        scaled = (high - values) / np.where(high > low, high - low, 1.0)
        return int(np.argmin((scaled**2).sum(axis=1)))

    return _one(table, constraints, by, objectives, nearest, "knee")


def _one(table, constraints, by, objectives, choose, what) -> pd.DataFrame:
    parts = [constrained(table, constraints)] if by is None else groups(table, constraints, by)
    fronts = [pareto_front(part, **objectives) for part in parts]
    chosen = [front.iloc[[choose(front)]] for front in fronts if not front.empty]
    if not chosen:
        condition = " and meets the constraints" if constraints else ""
        raise NasError(f"No row has a value in every objective{condition}, so there is no {what}.")
    return pd.concat(chosen)


def hypervolume(
    table: pd.DataFrame,
    *,
    reference: Mapping[str, float] | None = None,
    ideal: Mapping[str, float] | None = None,
    normalised: bool = False,
    constraints: str | Iterable[str] = (),
    **objectives: str,
) -> float:
    """Return the volume that the front of `table` dominates.

    It is measured in the objectives' own units multiplied with each other, so its size says
    something only beside another one with the same reference. `normalised` divides it by the box
    between the reference and the ideal point, which gives a number in [0, 1].

    Args:
        table: Rows to measure.
        reference: The point where the volume ends, by objective; by default the worst value of
            each objective in `table`, so that a row that is worst somewhere adds nothing. Give it
            to compare tables.
        ideal: The point that 1 stands for when normalised, by objective; by default the best value
            of each objective in `table`.
        normalised: Return the share of the box.
        constraints: Conditions that a row must meet to count.
        objectives: Column to direction.

    Raises:
        UnknownName: An objective that is no column.
        NasError: A reference or ideal point that lacks an objective or is not finite.
    """
    _, every = oriented(table, objectives)
    _, values = oriented(constrained(table, constraints), objectives)
    if not len(every):
        return 0.0
    low = every.min(axis=0) if reference is None else _point("reference", reference, objectives)
    high = every.max(axis=0) if ideal is None else _point("ideal", ideal, objectives)
    volume = volume_above(values, low)
    if not normalised:
        return volume
    box = float(np.prod(np.maximum(high - low, 0.0)))
    return min(1.0, volume / box) if box > 0 else 0.0


def _point(what: str, point: Mapping[str, float], objectives: Mapping[str, str]) -> np.ndarray:
    """Return a point as an array `(objectives,)`, larger better."""
    for name in point:
        if name not in objectives:
            raise UnknownName(f"objective of the {what}", name, objectives)
    missing = [name for name in objectives if name not in point]
    if missing or not all(math.isfinite(float(value)) for value in point.values()):
        raise NasError(
            f"{what}={dict(point)!r} must have a finite number for each of {', '.join(objectives)}."
        )
    return np.array([float(point[name]) for name in objectives]) * signs_of(objectives)
