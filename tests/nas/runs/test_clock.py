"""A clock that jumps changes no duration and no order; who looks still knows who is alive."""

import time

import pytest

from nas.runs.directory import open_run
from nas.runs.status import run_status
from nas.search.progress import Clock

DAY = 86_400.0


@pytest.fixture
def set_clock(monkeypatch):
    """Return a function that sets the clock forwards by so many seconds."""
    truth = time.time

    def by(seconds):
        monkeypatch.setattr(time, "time", lambda: truth() + seconds)

    return by


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forwards", "back"])
def test_a_jump_while_a_driver_is_at_work(begin, set_clock, jump):
    search = begin(name="run", trials=4, time="1h")

    def watch(progress):
        if progress.counts["done"] == 2:
            set_clock(jump)
        assert progress.elapsed < 60

    search._watch = watch
    assert search.run_until_done() == "trials"
    journal = search.run.journal
    assert 0 <= journal.elapsed() < 60
    moments = [at for (at,) in journal._db.execute("SELECT at FROM events ORDER BY event")]
    assert moments == sorted(moments)
    for row in journal.trials():
        assert row["asked_at"] <= row["started_at"] <= row["finished_at"]
    assert journal.last_seen() == pytest.approx(time.time(), abs=5)
    status = run_status(search.run)
    assert status["elapsed_seconds"] < 60
    assert status["warning"] is None
    assert search.run.history()["elapsed_seconds"].max() < 60
    search.run.close()


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forwards", "back"])
def test_a_clock_that_was_set_between_two_sessions(begin, set_clock, jump):
    search = begin(name="run", trials=2)
    search.run_until_done()
    search.run.close()
    set_clock(jump)
    run = open_run(search.run.directory, readonly=False)
    session = run.journal.begin_session()
    number = run.journal.requested(1)
    run.journal.set_meta("ended", "")
    run.journal.seen(session)
    moments = [at for (at,) in run.journal._db.execute("SELECT at FROM events ORDER BY event")]
    assert number == len(moments)
    assert moments == sorted(moments)
    assert run.journal.elapsed() < 60
    assert run_status(run)["state"] == "running"
    run.close()


def test_elapsed_is_counted_without_the_clock(set_clock):
    clock = Clock(5.0)
    set_clock(DAY)
    assert clock.elapsed() == pytest.approx(5.0, abs=5)
