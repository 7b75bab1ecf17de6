"""Results from the best to the worst: those that keep the constraints, by front, by crowding.

Source: Deb, Pratap, Agarwal, Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
NSGA-II", IEEE Transactions on Evolutionary Computation 2002.
"""

import numpy as np

from surrogates.acquisition.results import Results
from surrogates.domination.fronts import front_numbers


def crowding(values: np.ndarray) -> np.ndarray:
    """Return how far the neighbours of each row of one front are apart, `(n,)`.

    Infinite for the ends of the front; in units of each objective's range within it.
    """
    total = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        ranked = column[order]
        span = ranked[-1] - ranked[0]
        total[order[[0, -1]]] = np.inf
        total[order[1:-1]] += (ranked[2:] - ranked[:-2]) / (span if span > 0 else 1.0)
    return total


def best_first(results: Results) -> np.ndarray:
    """Return positions of the results from the best to the worst, `(n,)`.

    Results that keep the constraints come first, by front, then by crowding; the others follow by
    how much they break them. With one objective this is the order of the values.
    """
    if not len(results):
        return np.empty(0, int)
    kept = results.violations == 0
    fronts = np.full(len(results), len(results))
    spacing = np.zeros(len(results))
    if kept.any():
        fronts[kept] = front_numbers(results.values[kept])
        for number in np.unique(fronts[kept]):
            front = fronts == number
            spacing[front] = crowding(results.values[front])
    return np.lexsort((-spacing, fronts, results.violations))
