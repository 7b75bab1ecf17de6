"""What model parts and recipe add to an edit distance: one term a pair beside that of layers."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.facts import Fact, model_facts


def model_distances(first: Sequence[Architecture], second: Sequence[Architecture]) -> np.ndarray:
    """Return the weighted city-block distances of what stands in the models and recipes.

    Args:
        first: Architectures, one for each row.
        second: Architectures, one for each column.

    Returns:
        `(len(first), len(second))`, in units of one layer.
    """
    return fact_distances([model_facts(a) for a in first], [model_facts(a) for a in second])


def fact_distances(first: Sequence[list[Fact]], second: Sequence[list[Fact]]) -> np.ndarray:
    """Return the sums over facts of weight times difference, `(len(first), len(second))`.

    A fact that one side lacks counts as 0 there. A sum of metrics is a metric.
    """
    weights = {fact.name: fact.weight for side in (first, second) for row in side for fact in row}
    if not weights:
        return np.zeros((len(first), len(second)))
    column = {name: i for i, name in enumerate(weights)}
    scale = np.array(list(weights.values()))
    sides = []
    for side in (first, second):
        rows = np.zeros((len(side), len(column)))
        for row, facts in zip(rows, side, strict=True):
            for fact in facts:
                row[column[fact.name]] += fact.value
        sides.append(rows * scale)
    return cdist(*sides, "cityblock")


def has_model_term(architecture: Architecture) -> bool:
    """Whether an architecture has parts of the model or choices of a recipe of its own."""
    return bool(architecture.parts or architecture.recipe)
