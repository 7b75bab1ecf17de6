"""The bound that noise sets: its limits, and the shrinkage by hand."""

import numpy as np
import pytest

from nas.benchmarks.noise_bound import noise_bound, shrink

CELLS = np.repeat([0, 1], 50)


def two_cells(seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0.6, 0.02, 50), rng.normal(0.7, 0.02, 50)])


def test_without_noise_the_oracle_is_perfect():
    found = noise_bound(two_cells(), CELLS, 0.0, simulations=20)
    assert [found.tau, found.rho] == pytest.approx([1, 1])
    assert found.oracle_to_best == found.oracle_to_top == (1, 1, 1)
    assert found.oracle_regret == 0


def test_given_rows_count_as_evaluations():
    found = noise_bound(two_cells(), CELLS, 0.0, given=5, simulations=200)
    assert found.oracle_to_best[0] == 6


def test_knowing_only_the_cell():
    found = noise_bound(two_cells(), CELLS, 0.0, simulations=2000)
    # The best is one of the fifty of the better cell, uniformly.
    assert found.cell_to_best[0] == pytest.approx(25.5, abs=1.5)
    assert found.cell_to_best[2] <= 50


@pytest.mark.parametrize("seed", range(3))
def test_more_noise_leaves_less_to_know(seed):
    values = two_cells(seed)
    bounds = [noise_bound(values, CELLS, noise, simulations=100) for noise in (0, 0.005, 0.01)]
    assert bounds[0].tau > bounds[1].tau > bounds[2].tau
    for bound in bounds:  # the top 1 % of a hundred rows is the best
        assert bound.oracle_to_top == bound.oracle_to_best
    assert bounds[0].oracle_regret <= bounds[1].oracle_regret <= bounds[2].oracle_regret


def test_shrinkage_by_hand():
    values, cells = np.array([1.0, 2, 3, 4, 5, 10, 12]), np.array([0, 0, 0, 0, 0, 1, 1])
    shrunk = shrink(values, cells, 1.0)
    # The cell of five has variance 2.5; the cell of two takes the pooled 12 / 5.
    np.testing.assert_allclose(shrunk[:5], 3 + (1 - 1 / 2.5) * (values[:5] - 3))
    np.testing.assert_allclose(shrunk[5:], 11 + (1 - 5 / 12) * (values[5:] - 11))
    np.testing.assert_allclose(shrink(values, cells, 0.0), values)
    np.testing.assert_allclose(shrink(values, cells, 100.0), [3, 3, 3, 3, 3, 11, 11])


def test_the_same_every_time_and_never_nan():
    values = two_cells()
    assert noise_bound(values, CELLS, 0.01, simulations=30) == noise_bound(
        values, CELLS, 0.01, simulations=30
    )
    found = noise_bound(np.array([0.5, 0.6]), np.array([0, 0]), 1.0, simulations=5)
    assert found.tau == 0
