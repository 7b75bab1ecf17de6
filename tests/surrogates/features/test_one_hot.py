"""Rows that grow tell architectures apart as the rows of the encoding do."""

import numpy as np
import pytest

from search_spaces import load_space
from search_spaces.architectures.features import encode_one_hot
from surrogates.features.one_hot import OneHotRows, ToldColumns


def squared_distances(rows):
    return ((rows[:, None] - rows[None]) ** 2).sum(-1)


@pytest.mark.parametrize("name", ["nas-bench-bert", "flexibert-2"])
def test_distances_are_those_of_the_encoding(name):
    architectures = load_space(name).sample(20, seed=0)
    grown = OneHotRows()
    grown(architectures[:7])  # columns come in another order
    ours, theirs = grown(architectures), encode_one_hot(architectures)
    assert ours.shape == theirs.shape
    assert (squared_distances(ours) == squared_distances(theirs)).all()


def test_a_fit_sees_the_same_columns_whatever_was_encoded_before():
    told, others = (load_space("nas-bench-bert").sample(10, seed=s) for s in (0, 1))
    fresh, used = OneHotRows(), OneHotRows()
    used([*others, *told[::-1]])
    found = [ToldColumns(rows, told)([*told, *others]) for rows in (fresh, used)]
    assert np.array_equal(*found)
    assert found[0][:10].any(axis=0).all()
    assert (found[0][:10] == encode_one_hot(told)).all()
