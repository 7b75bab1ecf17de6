"""Fronts against a quadratic twin and BoTorch, hypervolume against BoTorch."""

import numpy as np
import pandas as pd
import pytest
import torch

from nas.pareto.fronts import (
    best,
    hypervolume,
    knee,
    non_dominated,
    non_dominated_rows,
    pareto_front,
)
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
    # nearest as the crow flies: row 1 loses less in sum, but all of it in one objective
    table = pd.DataFrame({"glue": [1.0, 0.95, 0.5, 0.0], "ms": [10.0, 8.5, 5.2, 0.0]})
    assert knee(table, glue="max", ms="min").index.tolist() == [2]
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


@pytest.mark.parametrize("objectives", [2, 3, 4])
@pytest.mark.parametrize("curved", [False, True])
def test_large_tables_take_the_quick_pass_and_agree_with_botorch(objectives, curved):
    from botorch.utils.multi_objective import is_non_dominated

    rng = np.random.default_rng(objectives)
    values = np.round(rng.random((2_500, objectives)), 2)
    if curved:  # many rows on the front, many of them equal
        values = np.abs(rng.normal(size=(2_500, objectives)))
        values = np.round(values / np.linalg.norm(values, axis=1)[:, None], 2)
    expected = is_non_dominated(torch.tensor(values), deduplicate=False).numpy()
    assert (non_dominated(values) == expected).all()


def test_values_that_are_all_equal_are_all_on_the_front():
    assert non_dominated(np.ones((3_000, 3))).all()
    assert non_dominated(np.ones((3_000, 2))).all()


@pytest.mark.parametrize("seed", range(6))
def test_hypervolume_with_ties_equals_botorch(seed):
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    values = np.random.default_rng(seed).integers(0, 5, (40, 3)).astype(float)
    names = ["a", "b", "c"]
    ours = hypervolume(
        pd.DataFrame(values, columns=names),
        reference=dict.fromkeys(names, -1.0),
        **dict.fromkeys(names, "max"),
    )
    theirs = Hypervolume(torch.full((3,), -1.0, dtype=torch.float64))
    assert ours == pytest.approx(theirs.compute(torch.tensor(values[non_dominated(values)])))


TRIALS = pd.DataFrame(
    {
        "space": ["a", "a", "b", "b", None],
        "glue": [0.5, 0.7, 0.6, 0.4, 0.9],
        "ms": [1.0, 4.0, 2.0, 3.0, 9.0],
    }
)


def test_constraints_leave_rows_out_before_the_front():
    front = pareto_front(TRIALS, constraints=["ms < 4", "glue > 0.5"], glue="max", ms="min")
    assert front.index.tolist() == [2]
    assert best(TRIALS, constraints="ms < 4", glue="max").index.tolist() == [2]
    with pytest.raises(NasError, match="meets the constraints, so there is no best row"):
        best(TRIALS, constraints="ms < 0", glue="max")


def test_each_group_has_its_front_its_best_and_its_knee():
    front = pareto_front(TRIALS, by="space", glue="max", ms="min")
    assert front.index.tolist() == [1, 0, 2, 4]
    assert best(TRIALS, by="space", glue="max").index.tolist() == [1, 2, 4]
    assert len(knee(TRIALS, by=["space"], glue="max", ms="min")) == 3
    assert pareto_front(TRIALS.iloc[:0], by="space", glue="max").empty
    with pytest.raises(UnknownName, match="No column is called 'spaces'. Did you mean 'space'"):
        pareto_front(TRIALS, by="spaces", glue="max")


def test_the_best_of_equal_rows_is_the_cheap_one():
    table = pd.DataFrame({"glue": [0.7, 0.7, 0.6], "ms": [2.0, 1.0, 0.5]})
    assert best(table, glue="max", ms="min").index.tolist() == [1]


def test_normalised_hypervolume_is_a_share_of_the_box():
    table = pd.DataFrame({"glue": [0.0, 0.5, 1.0], "ms": [0.0, 1.0, 4.0]})
    goals = {"glue": "max", "ms": "min"}
    assert hypervolume(table, normalised=True, **goals) == pytest.approx(0.5 * 3 / 4)
    box = {"reference": {"glue": 0.0, "ms": 5.0}, "ideal": {"glue": 2.0, "ms": 0.0}}
    volume = hypervolume(table, normalised=True, **box, **goals)
    assert volume == pytest.approx((0.5 * 4 + 0.5 * 1) / 10)
    assert hypervolume(table.iloc[:1], normalised=True, **goals) == 0.0
    without = hypervolume(table, constraints="ms < 3", normalised=True, **goals)
    assert without == pytest.approx(0.5 * 3 / 4)


def test_points_that_fit_no_objective_are_refused():
    goals = {"glue": "max", "ms": "min"}
    with pytest.raises(NasError, match="must have a finite number for each of glue, ms"):
        hypervolume(TRIALS, reference={"glue": 0.0}, **goals)
    with pytest.raises(NasError, match="must have a finite number"):
        hypervolume(TRIALS, ideal={"glue": 1.0, "ms": np.inf}, normalised=True, **goals)
    with pytest.raises(UnknownName, match="No objective of the reference is called 'mss'"):
        hypervolume(TRIALS, reference={"glue": 0.0, "mss": 1.0}, **goals)
    with pytest.raises(UnknownName, match="No objective is called 'space'"):
        pareto_front(TRIALS, space="max")
