"""Ctrl-C once lets the trials in flight end, twice stops at once; both can be resumed."""

import json
import os
import pty
import signal
import sys

import pytest

from nas.execution import EngineGone
from nas.execution.interrupts import StopNow, handlers_kept, told_how_to_go_on, undisturbed
from nas.runs.directory import open_run
from tests.nas.search.test_loop import again


def interrupting(times):
    def act(job):
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)

    return act


ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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


def test_an_interrupt_outside_of_the_search_says_how_to_go_on(tmp_path):
    nothing = pytest.raises(StopNow, match="nothing is left of it. Start it again")
    with nothing, told_how_to_go_on(tmp_path):
        raise KeyboardInterrupt
    nothing = pytest.raises(EngineGone, match="GCS has ended. There was no run yet.*Start it again")
    with nothing, told_how_to_go_on(tmp_path):
        raise EngineGone("GCS has ended")
    (tmp_path / "run.db").touch()
    with pytest.raises(StopNow, match="Continue: nas resume "), told_how_to_go_on(tmp_path):
        raise StopNow
    kept = pytest.raises(EngineGone, match="GCS has ended. .* kept; continue with: nas resume ")
    with kept, told_how_to_go_on(tmp_path):
        raise EngineGone("GCS has ended")


def test_what_tidies_up_is_not_disturbed_but_by_a_second_interrupt():
    before, heard = [signal.getsignal(number) for number in ALL], []

    def tidy():
        with undisturbed():
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
                os.kill(os.getpid(), number)
                heard.append(number)

    with pytest.raises(StopNow):
        tidy()
    assert heard == [signal.SIGTERM, signal.SIGHUP, signal.SIGTERM]
    assert [signal.getsignal(number) for number in ALL] == before


def test_handlers_that_a_library_replaces_are_put_back():
    before = [signal.getsignal(number) for number in ALL]
    with handlers_kept():
        for number in ALL:
            signal.signal(number, lambda *_: None)
    assert [signal.getsignal(number) for number in ALL] == before


SLOW = """
import time

def slow():
    time.sleep(0.5)
    return {"scores": {"glue": 0.5}, "costs": {}}
"""


def test_a_search_whose_terminal_is_closed_ends_as_interrupted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    (tmp_path / "slow_trials.py").write_text(SLOW)
    execution = {"engine": "inline", "trial_function": "slow_trials:slow"}
    plan = {"policy": "random", "objectives": "glue:max", "trials": 900, "execution": execution}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    child, terminal = pty.fork()
    if not child:
        os.execv(
            sys.executable, [sys.executable, "-m", "nas", "search", "plan.yaml", "--run", "run"]
        )
    shown = b""
    while b"trial   1" not in shown:
        shown += os.read(terminal, 65_536)
    os.close(terminal)  # the kernel sends SIGHUP, and takes not a character more
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4, shown
    counts = open_run("run").journal.counts()
    assert (counts["running"], counts["failed"], counts["done"] >= 1) == (0, 0, True)
    assert open_run("run").journal.meta("ended") == "interrupted"
