"""Schedules: they end at exactly zero, and agree until the shorter one falls."""

import math

import pytest

from nas.training.recipe import Recipe
from nas.training.schedule import Schedule
from nas.training.schedules import schedule_of


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


def shares(text, steps=100, full=100, *, finetuning=False):
    schedule = schedule_of(Recipe(slots={"schedule": text}), steps, full, finetuning=finetuning)
    return schedule, [schedule.share(step) for step in range(steps + 1)]


@pytest.mark.parametrize("text", ["wsd", "cosine", "mosaic", "wsd(decay=1,warmup=0)"])
@pytest.mark.parametrize("finetuning", [False, True])
def test_every_schedule_rises_and_falls_within_one(text, finetuning):
    for steps in (1, 7, 100):
        _, found = shares(text, steps, 120, finetuning=finetuning)
        top = found.index(max(found))
        assert found[: top + 1] == sorted(found[: top + 1])
        assert found[top:] == sorted(found[top:], reverse=True)
        assert 0 <= min(found) <= max(found) <= 1


def test_schedules_by_hand():
    _, found = shares("wsd(decay=0.2,warmup=0.1)")
    assert [found[5], found[10], found[80], found[85], found[100]] == pytest.approx(
        [0.5, 1.0, 1.0, 0.5, 0.0]  # one minus the root of a quarter
    )
    _, found = shares("cosine(warmup=0.2)")
    assert [found[10], found[20], found[60], found[100]] == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert found[40] == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    _, found = shares("mosaic")
    assert [found[3], found[6], found[53], found[100]] == pytest.approx([0.5, 1.0, 0.51, 0.02])


@pytest.mark.parametrize("text", ["wsd", "cosine", "mosaic"])
def test_every_schedule_agrees_with_a_longer_one_until_it_branches(text):
    short, _ = shares(text, 30, 90)
    long, _ = shares(text, 90, 90)
    assert short.branch <= long.branch
    for step in range(short.branch):
        assert short.share(step + 0.5) == long.share(step + 0.5)
    if text == "wsd":
        assert short.branch == 24
