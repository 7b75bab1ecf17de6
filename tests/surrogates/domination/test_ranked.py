"""Fronts kept row by row are those of all rows at once."""

import numpy as np
import pytest

from surrogates.domination.fronts import front_numbers
from surrogates.domination.ranked import Fronts


@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("kind", ["normal", "ties"])
def test_row_by_row_is_all_at_once(objectives, kind):
    rng = np.random.default_rng(objectives)
    rows = rng.normal(size=(150, objectives))
    if kind == "ties":
        rows = rng.integers(4, size=(150, objectives)).astype(float)
    fronts = Fronts()
    for count, row in enumerate(rows, start=1):
        fronts.add(count - 1, row)
        if count % 10 == 0:
            numbers = fronts.numbers()
            assert [numbers[i] for i in range(count)] == front_numbers(rows[:count]).tolist()


def test_a_row_that_was_not_measured_has_no_front():
    with pytest.raises(AssertionError):
        Fronts().add("a", [np.nan])
