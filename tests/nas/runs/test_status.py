"""How long a search still takes, as `nas status` says it."""

from types import SimpleNamespace

import pytest

from nas.runs.status import _left

OVER = [{"seconds": 10.0}, {"seconds": 20.0}, {"seconds": None}]


@pytest.mark.parametrize(
    ("trials", "workers", "time", "elapsed", "expected"),
    [
        (8, 1, None, 0.0, 75.0),
        (8, 5, None, 0.0, 15.0),
        (8, 0, None, 0.0, 75.0),  # none is at work between two sessions
        (2, 1, None, 0.0, 0.0),
        (8, 1, 100.0, 40.0, 60.0),
        (8, 1, 100.0, 10.0, 75.0),
        (8, 1, 100.0, 130.0, 0.0),
    ],
)
def test_what_is_left_is_the_mean_of_what_is_to_come_or_the_time(
    trials, workers, time, elapsed, expected
):
    plan = SimpleNamespace(trials=trials, time=time)
    assert _left(OVER, plan, workers, elapsed) == expected


def test_nothing_is_known_before_a_trial_ended():
    plan = SimpleNamespace(trials=8, time=None)
    assert _left([], plan, 1, 5.0) is None
    assert _left([{"seconds": None}], plan, 1, 5.0) is None
