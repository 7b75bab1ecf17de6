"""Answers to every example by an ensemble that was not fitted on it.

Source: Wolpert, "Stacked Generalization", Neural Networks 1992 (cross-fitting): the examples are
dealt to folds, and those of each are answered by what was fitted on all others.
"""

from collections.abc import Callable

import numpy as np

from nas.ensembles.base import Answers, Ensemble

FOLDS = 5


def out_of_fold(
    make: Callable[[], Ensemble],
    answers: Answers,
    labels: np.ndarray,
    *,
    seed: int,
    folds: int = FOLDS,
) -> np.ndarray:
    """Return what ensembles combine, `(n, classes)`, or `(n, 1)` of a number.

    Args:
        make: Makes an ensemble that is not fitted.
        answers: Of the members, to n examples, two at least.
        labels: Of these, `(n,)`.
        seed: Decides the folds and every fit.
        folds: How many; as many as there are examples where these are fewer.
    """
    count = len(answers)
    dealt = np.random.default_rng(seed).permutation(count) % min(folds, count)
    found = np.zeros(answers.probabilities.shape[1:])
    for fold in np.unique(dealt):
        inside = np.flatnonzero(dealt == fold)
        others = np.flatnonzero(dealt != fold)
        ensemble = make()
        ensemble.fit(answers.at(others), labels[others], seed=seed)
        found[inside] = ensemble.combine(answers.at(inside))
    return found
