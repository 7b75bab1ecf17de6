"""Ctrl-C once lets the trials in flight end, twice stops at once; both can be resumed."""

import os
import signal

import pytest

from tests.nas.search.test_loop import again


def interrupting(times):
    def act(job):
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)

    return act


def test_once_drains(begin, pretend):
    said = []
    executor = pretend(faults={3: interrupting(1)})
    search = begin(executor=executor, watch=lambda p: said.append(p.note))
    before = signal.getsignal(signal.SIGINT)
    assert search.run_until_done() == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before
    counts = search.run.journal.counts()
    assert (counts["running"], counts["done"]) == (0, len(executor.performed))
    assert any(note and "waiting for the trials in flight" in note for note in said)
    resumed = again(search.run, pretend())
    assert resumed.run_until_done() == "trials"
    assert resumed.run.journal.counts()["done"] == 8


def test_twice_stops_and_the_trials_in_flight_run_again(begin, pretend):
    search = begin(executor=pretend(faults={3: interrupting(2)}))
    assert search.run_until_done() == "interrupted"
    counts = search.run.journal.counts()
    assert (counts["running"], counts["queued"]) == (0, 2)
    second = pretend()
    assert again(search.run, second).run_until_done() == "trials"
    assert {job.trial for job in second.performed} == {3, 5, 6, 7, 8}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_terminate_or_a_terminal_that_closes_stops_at_once(begin, pretend, number):
    executor = pretend(faults={3: lambda job: os.kill(os.getpid(), number)})
    before = signal.getsignal(number)
    search = begin(executor=executor)
    assert search.run_until_done() == "interrupted"
    assert signal.getsignal(number) is before
    counts = search.run.journal.counts()
    assert (counts["running"], counts["queued"]) == (0, 2)
    assert again(search.run, pretend()).run_until_done() == "trials"


def test_whoever_had_the_end_of_the_terminal_ignored_as_nohup_does_is_obeyed(begin, pretend):
    executor = pretend(faults={3: lambda job: os.kill(os.getpid(), signal.SIGHUP)})
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert begin(executor=executor).run_until_done() == "trials"
    finally:
        signal.signal(signal.SIGHUP, before)
