"""Crowding against a slow twin, and what constraints and failures do to the order."""

import numpy as np
import pytest

from surrogates import make_policy
from surrogates.acquisition.ranking import best_first, crowding
from surrogates.acquisition.results import Results


def slow_crowding(values):
    total = []
    for i, row in enumerate(values):
        sides = 0.0
        for j in range(values.shape[1]):
            column = [v[j] for k, v in enumerate(values) if k != i]
            below, above = [v for v in column if v < row[j]], [v for v in column if v > row[j]]
            if not below or not above:
                sides = np.inf
                break
            sides += (min(above) - max(below)) / (max(values[:, j]) - min(values[:, j]))
        total.append(sides)
    return total


@pytest.mark.parametrize("seed", range(5))
def test_crowding_is_the_gap_between_neighbours(seed):
    values = np.random.default_rng(seed).permuted(np.arange(45.0).reshape(3, 15), axis=1).T
    assert crowding(values) == pytest.approx(slow_crowding(values))


def test_order_feasible_then_violations_then_failures(small_space):
    policy = make_policy(
        "nsga2", small_space, {"glue": "max", "loss": "min"}, constraints=("latency<10",)
    )
    front, worse, broken, very, failed = list(small_space)[:5]
    policy.tell(failed, error="out of memory")
    policy.tell(very, {"glue": 0.99, "loss": 0, "latency": 40})
    policy.tell(worse, {"glue": 0.5, "loss": 2, "latency": 5})
    policy.tell(broken, {"glue": 0.98, "loss": 0, "latency": 11})
    policy.tell(front, {"glue": 0.6, "loss": 1, "latency": 10})
    results = Results.of(policy)
    assert [results.architectures[i] for i in best_first(results)] == [
        front, worse, broken, very, failed,
    ]  # fmt: skip
    assert results.violations.tolist() == [np.inf, 3.0, 0.0, pytest.approx(0.1), 0.0]
    assert results.values[0].tolist() == [0.5, -2.0]
    assert not results.scaled()[[0, 1, 3]].any()
    assert results.scaled()[[2, 4]].tolist() == [[0.0, 0.0], [pytest.approx(0.1 / 0.49), 0.5]]
