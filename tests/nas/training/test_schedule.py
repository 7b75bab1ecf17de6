"""Schedules: they end at exactly zero, and agree until the shorter one falls."""

import pytest

from nas.training.schedule import Schedule


def test_linear_rises_to_one_and_falls_to_exactly_zero():
    schedule = Schedule.linear(100, 0.1)
    shares = [schedule.share(step) for step in range(101)]
    assert shares[0] == 0.0
    assert shares[10] == 1.0
    assert shares[100] == 0.0
    assert shares[:11] == sorted(shares[:11])
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert Schedule.linear(5, 0.0).share(0) == 1.0


def test_a_whole_rung_without_a_decay_is_linear():
    for steps in (3, 16, 625, 1000):
        assert Schedule.rung(steps, steps, 0.1, None) == Schedule.linear(steps, 0.1)


@pytest.mark.parametrize("decay", [0.2, 0.5, 1.0, None])
@pytest.mark.parametrize(("short", "long"), [(1, 1000), (70, 200), (111, 1000), (333, 1000)])
def test_two_rungs_agree_bit_by_bit_until_the_shorter_falls(short, long, decay):
    first = Schedule.rung(short, 1000, 0.1, decay)
    second = Schedule.rung(long, 1000, 0.1, decay)
    assert first.branch <= second.branch
    for step in range(first.branch):
        assert first.share(step + 0.5) == second.share(step + 0.5)
    assert first.share(short) == second.share(long) == 0.0
    assert all(first.share(step + 0.5) > 0 for step in range(short))


def test_only_the_decay_of_a_trapezoid_is_repeated_by_a_longer_one():
    assert Schedule.rung(300, 900, 0.1, 0.2).branch == 240
    assert Schedule.rung(300, 900, 0.1, 1.0).branch == 0
