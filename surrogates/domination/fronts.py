"""Which rows of an array no other row dominates, and which ones are next.

Source: Deb, Pratap, Agarwal, Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
NSGA-II", IEEE Transactions on Evolutionary Computation 2002 (fronts one behind the other).
"""

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
    # Nothing comes before the first group, whose best second value may be -inf too.
    beyond = (second > before[begins][group]) | (group == 0)
    kept = (second == second[begins][group]) & beyond
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


def front_numbers(values: np.ndarray) -> np.ndarray:
    """Return the front of each row of `values`, `(rows,)`: 0 where no other dominates it.

    Args:
        values: Larger is better, `(rows, objectives)`.
    """
    assert not np.isnan(values).any(), "what was not measured has no front"
    numbers = np.full(len(values), -1)
    left, number = np.arange(len(values)), 0
    while len(left):
        best = non_dominated(values[left])
        numbers[left[best]] = number
        left, number = left[~best], number + 1
    return numbers
