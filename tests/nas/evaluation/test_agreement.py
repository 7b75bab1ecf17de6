"""Cohen's kappa: known values, the same as scikit-learn, and what it says of one class."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from nas.evaluation.agreement import binned, kappa


def test_known_values():
    assert kappa(np.array([0, 0, 1, 1, 1, 0]), np.array([0, 1, 1, 1, 0, 0])) == pytest.approx(1 / 3)
    assert kappa(np.array([0, 1, 1, 0]), np.ones(4)) == 0
    squared = kappa(np.array([0, 1, 2, 3]), np.array([0, 2, 2, 3]), squared=True)
    assert squared == pytest.approx(0.9)
    assert kappa(np.array([2, 5, 2]), np.array([2, 5, 2])) == 1


@pytest.mark.parametrize("seed", range(20))
def test_it_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 1 + seed % 4, (2, 30))
    if seed % 4:
        assert kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))
        expected = cohen_kappa_score(first, second, weights="quadratic")
        assert kappa(first, second, squared=True) == pytest.approx(expected)
    else:  # nothing but one class: it is no number there, and says nothing here
        assert kappa(first, second) == 0
        assert kappa(first, second, squared=True) == 0


def test_numbers_go_into_bins_of_equal_width():
    labels = np.array([0.0, 5.0])
    numbers = np.array([-3.0, 0.0, 0.99, 1.0, 2.5, 4.0, 5.0, 9.0])
    assert binned(numbers, labels).tolist() == [0, 0, 0, 1, 2, 4, 4, 4]
