"""Fronts as what is attained within a cost, and what half of many searches attain."""

import numpy as np
from numpy.testing import assert_array_equal

from nas.pareto.attained import attained, scale, surfaces

NONE = -np.inf


def test_the_best_of_those_that_keep_to_a_bound():
    scores, costs = np.array([0.5, 0.9, 0.7]), -np.array([1.0, 4.0, 2.0])
    bounds = -np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
    assert_array_equal(attained(scores, costs, bounds), [NONE, 0.5, 0.5, 0.7, 0.7, 0.9])
    assert_array_equal(attained(scores[:0], costs[:0], bounds), [NONE] * 6)


def test_the_scale_holds_what_was_measured_the_strictest_first():
    bounds = scale(-np.array([1.0, 4.0, 2.0]))
    assert {-1.0, -2.0, -4.0} <= set(bounds.tolist())
    assert (np.diff(bounds) < 0).all()
    assert_array_equal(scale(np.array([3.0, 3.0])), [3.0])


def test_half_of_the_searches_and_none_where_fewer_get_there():
    fronts = np.array([[NONE, NONE, 1.0], [NONE, 2.0, 3.0], [0.5, 4.0, 5.0]])
    low, middle, high = surfaces(fronts, worst=0.0)
    assert_array_equal(middle, [np.nan, 2.0, 3.0])
    assert_array_equal(low, [np.nan, 0.0, 1.0])
    assert_array_equal(high, [np.nan, 4.0, 5.0])
