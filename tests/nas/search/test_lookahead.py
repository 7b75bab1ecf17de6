"""How many proposals are prepared: as many as are needed meanwhile, more where workers waited."""

import pytest

from nas.search.lookahead import Ahead


@pytest.fixture
def busy():
    """Two workers, one of which becomes free every half second."""
    ahead = Ahead(2, concurrent=True)
    for step in range(8):
        ahead.returned(step / 2)
    return ahead


def test_what_workers_need_while_the_policy_thinks_once(busy):
    busy.answered(1.9)
    assert busy.wanted(known=100) == 4
    busy.answered(0.1)
    assert busy.wanted(known=100) == 1


def test_workers_that_waited_get_ever_more_at_once_and_less_when_they_do_not(busy):
    asked = []
    for _ in range(7):
        busy.answered(0.1, starved=True)
        asked.append(busy.request(1000, free=2, ready=0))
    assert asked == [2 + 1 + more for more in (2, 4, 8, 16, 32, 32, 32)]
    for _ in range(6):
        busy.answered(0.1)
    assert busy.wanted(1000) == 1


def test_that_everybody_waits_at_the_start_says_nothing():
    ahead = Ahead(2, concurrent=True)
    ahead.answered(0.1, starved=True)
    for second in range(8):
        ahead.returned(second)
    assert ahead.wanted(known=100) == 1


def test_few_results_allow_few_proposals_at_once(busy):
    for _ in range(5):
        busy.answered(0.1, starved=True)
    assert [busy.wanted(known) for known in (0, 8, 40, 1000)] == [2, 2, 10, 33]


def test_nothing_is_asked_for_while_more_than_half_is_ready(busy):
    busy.answered(3.9)
    assert [busy.request(100, free=0, ready=ready) for ready in range(9)] == [
        8, 7, 6, 5, 4, 0, 0, 0, 0
    ]  # fmt: skip
    assert busy.request(100, free=2, ready=6) == 4


def test_a_policy_that_thinks_alone_is_asked_for_free_workers_only():
    ahead = Ahead(4, concurrent=False)
    assert ahead.request(0, free=3, ready=0) == 3
    assert ahead.request(0, free=0, ready=0) == 0
    assert ahead.request(0, free=1, ready=1) == 0
