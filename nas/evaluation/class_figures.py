"""How well each class is told from the others, and which are taken for which.

Of many classes only what a page shows is kept: those told apart worst, and the pairs confused most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.printable import one_line

MOST_NAMES = 30  # classes with figures of their own; of more, those of the lowest F1
MOST_CONFUSED = 20  # pairs of classes
LARGEST_TABLE = 10  # classes, up to which every pair is counted
LONGEST_NAME = 60  # characters of a class or an answer


@dataclass(frozen=True)
class ClassFigures:
    """How one class is told from the others.

    Attributes:
        precision: Share of the answers of this class that are right; 0 where there are none.
        recall: Share of its examples that are found.
        f1: The harmonic mean of both.
        support: How many examples it has.
    """

    precision: float
    recall: float
    f1: float
    support: int


def class_figures(hits: np.ndarray, claimed: np.ndarray, there: np.ndarray) -> list[ClassFigures]:
    """Return the figures of each class.

    Args:
        hits: How often each was answered rightly, `(classes,)`.
        claimed: How often it was answered, `(classes,)`.
        there: How often it is right, `(classes,)`.
    """
    precision = hits / np.maximum(claimed, 1)
    recall = hits / np.maximum(there, 1)
    f1 = 2 * hits / np.maximum(claimed + there, 1)
    columns = (column.tolist() for column in (precision, recall, f1, there.astype(int)))
    return [ClassFigures(*row) for row in zip(*columns, strict=True)]


def told_apart(names: Sequence[str], rights: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """Return figures and confusions of classes of which one is right, as `Mistakes` has them.

    Args:
        names: Of the classes.
        rights: Class numbers, `(n,)`.
        answers: The same of the answers.
    """
    count = len(names)
    rights, answers = rights.astype(int), answers.astype(int)
    hits, claimed, there = (
        np.bincount(values, minlength=count)
        for values in (rights[rights == answers], answers, rights)
    )
    table: list[list[int]] = []
    if count <= LARGEST_TABLE:
        cells = np.bincount(rights * count + answers, minlength=count**2)
        table = cells.reshape(count, count).tolist()
    return {
        **figures_of(names, class_figures(hits, claimed, there)),
        **confusions(names, rights, answers),
        "table": table,
    }


def figures_of(names: Sequence[str], figures: Sequence[ClassFigures]) -> dict[str, Any]:
    """Return figures with names: all, or of many those of the lowest F1, the lowest first."""
    order = range(len(names))
    if len(names) > MOST_NAMES:
        order = sorted(order, key=lambda i: (figures[i].f1, -figures[i].support))[:MOST_NAMES]
    return {
        "names": [one_line(names[i], LONGEST_NAME) for i in order],
        "figures": [figures[i] for i in order],
        "names_in_all": len(names),
    }


def confusions(names: Sequence[str], rights: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """Return which class was taken for which, the most frequent pairs, and how many there are."""
    wrong = rights != answers
    pairs, counts = np.unique(rights[wrong] * len(names) + answers[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_CONFUSED]
    found = []
    for place in order:
        right, said = divmod(int(pairs[place]), len(names))
        both = (one_line(names[number], LONGEST_NAME) for number in (right, said))
        found.append((*both, int(counts[place])))
    return {"confused": found, "confused_in_all": len(pairs)}
