"""Paired statistics against scipy, and where they are not defined."""

import numpy as np
import pytest
from scipy import stats

from nas.benchmarks.paired import paired


@pytest.mark.parametrize("seed", range(5))
def test_against_scipy(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, 15))
    second += 0.4
    found = paired(first, second)
    difference = second - first
    assert found.pairs == 15
    assert found.mean == pytest.approx(difference.mean())
    assert found.error == pytest.approx(stats.sem(difference))
    assert found.t_p == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(first, second).pvalue)


def test_without_any_difference():
    found = paired(np.ones(4), np.ones(4))
    assert (found.mean, found.t_p, found.wilcoxon_p) == (0, 1, 1)


def test_a_constant_difference_has_no_t_test():
    found = paired(np.zeros(4), np.ones(4))
    assert found.mean == 1
    assert np.isnan(found.t_p)
    assert found.wilcoxon_p == pytest.approx(0.125)


def test_missing_pairs_are_left_out():
    found = paired(np.array([1.0, np.nan, 3.0]), np.array([2.0, 5.0, 3.5]))
    assert (found.pairs, found.mean) == (2, 0.75)
    alone = paired(np.array([1.0]), np.array([4.0]))
    assert (alone.pairs, alone.mean) == (1, 3.0)
    assert np.isnan(alone.t_p)
