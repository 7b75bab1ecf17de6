"""Which rows of an array no other row dominates, and the volume that they dominate.

Source: Zitzler and Thiele, "Multiobjective evolutionary algorithms: a comparative case study and
the strength Pareto approach", IEEE Transactions on Evolutionary Computation, 1999.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np


def non_dominated(values: np.ndarray) -> np.ndarray:
    """Return which rows of `values`, `(rows, objectives)`, larger better, no other row dominates.

    Equal rows do not dominate each other: all of them are kept. Two objectives take
    O(rows log rows); more take O(rows · front), after a pass that drops what a few good rows
    dominate.
    """
    if not len(values):
        return np.zeros(0, dtype=bool)
    if values.shape[1] == 1:
        return values[:, 0] == values[:, 0].max()
    # On few rows the pass costs more than it saves.
    rows = _not_beaten_by_few(values) if len(values) > 2_000 else np.arange(len(values))
    keep = np.zeros(len(values), dtype=bool)
    if values.shape[1] == 2:
        keep[rows] = _non_dominated_pairs(values[rows])
        return keep
    unique, inverse = np.unique(values[rows], axis=0, return_inverse=True)
    unique, front = unique[::-1], np.zeros(len(unique), dtype=bool)
    # No later row of the sorted table can dominate an earlier one.
    members = np.empty_like(unique)
    size = 0
    for row, value in enumerate(unique):
        if not (members[:size] >= value).all(axis=1).any():
            members[size], front[row], size = value, True, size + 1
    keep[rows] = front[::-1][inverse.reshape(-1)]
    return keep


def _non_dominated_pairs(values: np.ndarray) -> np.ndarray:
    order = np.lexsort((-values[:, 1], -values[:, 0]))
    first, second = values[order, 0], values[order, 1]
    # Rows with an equal first value stand together; the best second value comes first of them.
    begins = np.flatnonzero(np.r_[True, first[1:] != first[:-1]])
    group = np.cumsum(np.r_[True, first[1:] != first[:-1]]) - 1
    before = np.r_[-np.inf, np.maximum.accumulate(second)]
    kept = (second == second[begins][group]) & (second > before[begins][group])
    keep = np.zeros(len(values), dtype=bool)
    keep[order] = kept
    return keep


def _not_beaten_by_few(values: np.ndarray) -> np.ndarray:
    """Return the positions of the rows that a few good ones do not dominate.

    The good ones are the best in random weightings of the objectives, as many as still drop one row
    in a hundred; which ones they are changes the speed, never the front.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    scale = np.where(high > low, high - low, 1.0)
    rng = np.random.default_rng(0)
    rows, columns = np.arange(len(values)), np.ascontiguousarray(values.T)
    before = np.inf
    while len(rows) < 0.99 * before:
        before = len(rows)
        for weight in rng.dirichlet(np.ones(len(columns)), size=32) / scale:
            best = columns[:, int(np.argmax(weight @ columns))]
            stays = (columns > best[:, None]).any(axis=0) | (columns == best[:, None]).all(axis=0)
            if not stays.all():
                rows, columns = rows[stays], columns[:, stays]
    return rows


def non_dominated_rows(rows: Sequence[Sequence[float]], directions: Sequence[str]) -> list[int]:
    """Return the positions of the non-dominated `rows`, one value and direction an objective."""
    if not rows:
        return []
    signs = np.array([1.0 if direction == "max" else -1.0 for direction in directions])
    return np.flatnonzero(non_dominated(np.asarray(rows, dtype=float) * signs)).tolist()


def volume_above(values: np.ndarray, corner: np.ndarray) -> float:
    """Return the volume between `corner` and the rows of `values`, all larger better."""
    if not len(values):
        return 0.0
    front = np.unique(np.maximum(values[non_dominated(values)] - corner, 0.0), axis=0)
    return _volume(front)


def _volume(front: np.ndarray) -> float:
    """Return the volume between the origin and `front`, `(rows, objectives)`, by slicing."""
    if front.shape[1] == 1:
        return float(front.max())
    front = front[np.argsort(front[:, 0], kind="stable")]
    thickness = np.diff(front[:, 0], prepend=0.0)
    if front.shape[1] == 2:
        # The slice that begins left of a row is as high as the highest row to its right.
        height = np.maximum.accumulate(front[::-1, 1])[::-1]
        return float(thickness @ height)
    if front.shape[1] == 3:
        return _volume_of_triples(front)
    total = 0.0
    for row in np.flatnonzero(thickness > 0):
        rest = front[row:, 1:]
        total += thickness[row] * _volume(rest[non_dominated(rest)])
    return total


def _volume_of_triples(front: np.ndarray) -> float:
    """Return the volume of `front`, sorted by its first column, in O(rows log rows).

    From the largest first value down, the area that the other two dominate only grows; its outline
    is a staircase of `wide` ascending and `high` descending.
    """
    wide: list[float] = []
    high: list[float] = []
    total, area = 0.0, 0.0
    rows = front.tolist()
    for (first, second, third), lower in zip(rows[::-1], [*rows[-2::-1], [0.0]], strict=True):
        step = bisect_left(wide, second)
        if step == len(wide) or high[step] < third:
            left, outside = step, high[step] if step < len(wide) else 0.0
            while left and high[left - 1] <= third:
                left -= 1
            edges = [wide[left - 1] if left else 0.0, *wide[left:step], second]
            heights = [*high[left:step], outside]
            area += sum(
                (b - a) * (third - h) for a, b, h in zip(edges, edges[1:], heights, strict=False)
            )
            stop = step + (step < len(wide) and wide[step] == second)
            wide[left:stop], high[left:stop] = [second], [third]
        total += (first - lower[0]) * area
    return total
