"""Fronts against BoTorch's; the front kept one result at a time against the front of them all."""

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.pareto import is_non_dominated

from surrogates.domination.fronts import front_numbers, non_dominated
from surrogates.domination.running import Front
from surrogates.objectives import oriented, sign_of, signs_of


def peeled(values):
    """Fronts by taking away, again and again, what BoTorch says no other dominates."""
    fronts, left, number = np.full(len(values), -1), np.arange(len(values)), 0
    while len(left):
        best = is_non_dominated(torch.as_tensor(values[left]), deduplicate=False).numpy()
        fronts[left[best]] = number
        left, number = left[~best], number + 1
    return fronts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_fronts_are_those_of_botorch(seed, objectives):
    # few distinct numbers: ties and equal rows occur
    values = np.random.default_rng(seed).integers(0, 6, (40, objectives)).astype(float)
    assert (front_numbers(values) == peeled(values)).all()


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_infinite_values_have_a_front_too(objectives):
    values = np.random.default_rng(0).choice([-np.inf, 0.0, 1.0, np.inf], (60, objectives))
    for some in (values, values[values[:, -1] == -np.inf]):
        assert (front_numbers(some) == peeled(some)).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_a_running_front_holds_what_the_front_of_all_results_holds(seed, objectives):
    values = np.random.default_rng(seed).integers(0, 5, (40, objectives)).astype(float)
    front, best = Front(), None
    for count, row in enumerate(values.tolist(), 1):
        before = set(front.rows)
        grew = front.add(row)
        seen = values[:count]
        assert sorted(front.rows) == sorted(map(tuple, seen[non_dominated(seen)].tolist()))
        assert grew == (set(front.rows) != before)
        if objectives == 1:
            assert grew == (best is None or row[0] > best)
            best = max(row[0], best or 0.0)


def test_larger_is_better_once_a_value_has_its_sign():
    objectives = {"glue": "max", "latency_ms": "min"}
    assert (sign_of("max"), sign_of("min")) == (1, -1)
    assert signs_of(objectives) == [1, -1]
    values = {"latency_ms": 3.0, "glue": 0.5, "parameters": 7.0}
    assert oriented(values, objectives) == (0.5, -3.0)
