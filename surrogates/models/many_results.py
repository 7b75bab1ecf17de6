"""Which results a model looks at where there are many, so that an ask has a bounded cost.

Up to 200 results nothing is left out. Beyond, hyper-parameters are learned from 200 of the first
results told, whose number grows in steps of a quarter: between the steps nothing is learned again,
and a restored policy learns the same. The posterior rests on at most 400 results: the best, the
newest, and an even spread of the others.
"""

import numpy as np

MANY = 200  # results up to which nothing is left out, and from which hyper-parameters are learned
GROWTH = 1.25
KEPT = 400  # results that the posterior rests on at most


def first_told(n: int) -> int:
    """Return how many of the first of `n` results to learn from: the last step that `n` reached."""
    reached = MANY
    while int(reached * GROWTH) <= n:
        reached = int(reached * GROWTH)
    return min(reached, n)


def evenly(positions: np.ndarray, n: int) -> np.ndarray:
    """Return `n` of `positions`, from the first to the last evenly; all if there are less."""
    if len(positions) <= n:
        return positions
    return positions[np.linspace(0, len(positions) - 1, n).round().astype(int)]


def kept(n: int, ranked: np.ndarray) -> np.ndarray:
    """Return the places in the order of telling of the results to keep, ascending.

    Args:
        n: Number of results, at least as many as are ranked.
        ranked: Places in the order of telling, the best first.
    """
    if n <= KEPT:
        return np.arange(n)
    chosen = np.zeros(n, bool)
    chosen[n - KEPT // 4 :] = True
    chosen[ranked[: KEPT // 4]] = True
    chosen[evenly(np.flatnonzero(~chosen), KEPT - int(chosen.sum()))] = True
    return np.flatnonzero(chosen)


def best_in_turn(values: np.ndarray) -> np.ndarray:
    """Return positions from the best on: by each objective and by the mean rank, in turn.

    Args:
        values: Larger is better, `(n, objectives)`.
    """
    ranks = np.argsort(np.argsort(-values, axis=0, kind="stable"), axis=0, kind="stable")
    orders = np.argsort(np.column_stack([ranks, ranks.mean(1)]), axis=0, kind="stable")
    return np.array(list(dict.fromkeys(orders.ravel().tolist())))
