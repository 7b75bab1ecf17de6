"""Fronts against a quadratic twin and BoTorch, hypervolume against BoTorch."""

import numpy as np
import pandas as pd
import pytest
import torch

from nas.pareto import hypervolume, knee, non_dominated, non_dominated_rows, pareto_front
from search_spaces.errors import NasError, UnknownName


def naive(values):
    return np.array(
        [not any((b >= a).all() and (b > a).any() for b in values) for a in values], dtype=bool
    )


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_non_dominated_equals_the_quadratic_twin_and_botorch(objectives, seed):
    from botorch.utils.multi_objective import is_non_dominated

    rng = np.random.default_rng(seed)
    # Few distinct values, so that ties and equal rows occur.
    values = rng.integers(0, 6, (60, objectives)).astype(float)
    kept = non_dominated(values)
    assert (kept == naive(values)).all()
    assert (kept == is_non_dominated(torch.tensor(values), deduplicate=False).numpy()).all()


def test_no_rows_have_no_front():
    assert non_dominated(np.zeros((0, 2))).tolist() == []
    assert non_dominated_rows([], ["max"]) == []


def test_directions_and_missing_values():
    table = pd.DataFrame(
        {"glue": [0.5, 0.7, 0.7, np.nan, 0.6], "latency_ms": [1.0, 3.0, 2.0, 0.1, 9.0]}
    )
    front = pareto_front(table, glue="max", latency_ms="min")
    assert front.index.tolist() == [2, 0]
    assert non_dominated_rows([[0.5, 1.0], [0.4, 2.0]], ["max", "min"]) == [0]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_hypervolume_equals_botorch(objectives):
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    rng = np.random.default_rng(objectives)
    values = rng.random((25, objectives))
    names = [f"o{i}" for i in range(objectives)]
    reference = dict.fromkeys(names, 0.1)
    ours = hypervolume(
        pd.DataFrame(values, columns=names), reference=reference, **dict.fromkeys(names, "max")
    )
    front = torch.tensor(values[non_dominated(values)])
    theirs = Hypervolume(torch.full((objectives,), 0.1, dtype=torch.float64)).compute(front)
    assert ours == pytest.approx(theirs)


def test_hypervolume_of_a_minimised_objective_by_hand():
    table = pd.DataFrame({"glue": [0.5, 0.8], "ms": [1.0, 4.0]})
    volume = hypervolume(table, reference={"glue": 0.0, "ms": 5.0}, glue="max", ms="min")
    assert volume == pytest.approx(0.5 * 4 + 0.3 * 1)
    assert hypervolume(table.iloc[:0], glue="max", ms="min") == 0.0


def test_knee_is_the_row_nearest_to_the_ideal():
    table = pd.DataFrame({"glue": [0.5, 0.78, 0.8], "ms": [1.0, 1.5, 9.0]})
    assert knee(table, glue="max", ms="min").index.tolist() == [1]
    with pytest.raises(NasError, match="no knee"):
        knee(table.iloc[:0], glue="max", ms="min")


def test_wrong_objectives_are_named():
    table = pd.DataFrame({"glue": [0.5]})
    with pytest.raises(UnknownName, match="No objective is called 'glu'. Did you mean 'glue'"):
        pareto_front(table, glu="max")
    with pytest.raises(NasError, match="glue='up' is no direction"):
        pareto_front(table, glue="up")
    with pytest.raises(NasError, match="No objective was given"):
        pareto_front(table)
