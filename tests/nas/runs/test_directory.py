"""Run directories: what is stored, what comes out as DataFrames, and every refusal."""

import json
import os
import platform
import sqlite3
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

import nas
from nas.runs.claims import next_directory
from nas.runs.directory import create_run, describe_environment, open_run
from nas.runs.journal import STATUSES, Journal
from nas.runs.schema import FORMAT
from nas.runs.status import run_status
from nas.tables.trials import trial_table
from search_spaces.errors import RunError


@pytest.fixture
def finished(begin, pretend):
    from nas.execution import Outcome

    faults = {2: Outcome(2, seconds=1.0, cause="nan", error="NaN at step 7")}
    search = begin(executor=pretend(faults=faults))
    search.run_until_done()
    search.run.close()
    return search.run.directory


def test_trials_are_a_tidy_table(finished):
    table = nas.open_run(finished).trials()
    assert table["trial"].tolist() == list(range(1, 9))
    assert table.columns[:6].tolist() == ["trial", "hash", "status", "fidelity", "glue", "cola"]
    assert str(table["parameters"].dtype) == "Int64"
    assert str(table["glue"].dtype) == "float64"
    failed = table[table["status"] == "failed"].iloc[0]
    assert (failed["cause"], failed["error"]) == ("nan", "NaN at step 7")
    assert pd.isna(failed["glue"])
    assert set(table["recipe"]) == {"glue-mini"}
    assert isinstance(table["architecture"][0], dict)


def test_an_empty_run_has_an_empty_table_with_the_same_columns():
    table = trial_table([], preset=None)
    assert len(table) == 0
    assert {"trial", "glue", "parameters", "latency_ms", "error"} <= set(table.columns)


def test_front_best_knee_and_hash(finished):
    run = nas.open_run(finished)
    done = run.trials().query("status == 'done'")
    number = int(done["trial"].iloc[-1])
    assert run.pick(number)["trial"] == run.pick(str(number))["trial"] == number
    assert run.pick("best")["glue"] == done["glue"].max()
    assert run.pick("knee")["trial"] in set(run.pareto()["trial"])
    some = done.iloc[2]
    assert run.pick(some["hash"][:12])["trial"] == some["trial"]
    front = run.pareto(glue="max", latency_ms="min")
    assert front["glue"].is_monotonic_decreasing
    assert front["latency_ms"].is_monotonic_decreasing


def test_picks_that_cannot_be(finished, begin):
    run = nas.open_run(finished)
    failed = run.trials().query("status == 'failed'").iloc[0]
    with pytest.raises(
        RunError, match=r"is failed, so it has no weights \(nan; nas why .* \d+ says"
    ):
        run.pick(failed["hash"])
    with pytest.raises(RunError, match="'zzz' names 0 trials.*Write best, knee, or the start of"):
        run.pick("zzz")
    with pytest.raises(RunError, match="'' names 8 trials"):
        run.pick("")
    with pytest.raises(RunError, match="has no finished trial to pick from"):
        begin(name="empty").run.pick("best")
    assert "1 failed; see why: nas trials" in run.way_on()


def test_status_says_how_far(finished):
    status = run_status(open_run(finished))
    assert (status["state"], status["done"], status["failed"]) == ("trials", 7, 1)
    assert status["causes"] == {"nan": 1}
    assert status["best"].startswith("glue 0.")


def test_status_of_a_run_that_was_cut_off(begin):
    search = begin()
    search.run.journal.begin_session()
    assert run_status(search.run)["state"] == "running"
    search.run.journal._db.execute("UPDATE sessions SET seen_at = seen_at - 1000")
    assert run_status(search.run)["state"] == "interrupted"
    assert run_status(search.run)["best"] is None


def test_directories_are_numbered_on(tmp_path):
    assert next_directory("a", tmp_path / "runs") == tmp_path / "runs" / "a-1"
    for name in ("a-1", "a-3", "ab-9", "a-x"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert next_directory("a", tmp_path / "runs") == tmp_path / "runs" / "a-4"


def test_a_taken_directory_is_refused(tmp_path, begin, experiment):
    search = begin()
    plan = experiment()
    with pytest.raises(RunError, match="exists already and is not empty. Continue it with: nas"):
        create_run(search.run.directory, plan, plan.objectives)
    for change, said in (({"seed": 9}, "seed 0 instead of 9"), ({"tasks": ["rte"]}, "tasks")):
        other = experiment(**change)
        with pytest.raises(RunError, match=f"belongs to another experiment: it has {said}"):
            create_run(search.run.directory, other, other.objectives)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(RunError, match="Give a directory that does not exist yet"):
        create_run(tmp_path / "other", plan, plan.objectives)
    with pytest.raises(RunError, match="Cannot make the run directory"):
        create_run(tmp_path / "other" / "file" / "run", plan, plan.objectives)


def test_two_drivers_are_one_too_many(begin):
    search = begin()
    second = open_run(search.run.directory, readonly=False)
    with pytest.raises(RunError, match="Another process is driving the run"):
        second.lock()
    search.run.close()
    second.lock()


def test_what_is_no_run(tmp_path, finished):
    with pytest.raises(RunError, match="is no run directory: it has no run.db.*nas search --run"):
        open_run(tmp_path / "nothing")
    with pytest.raises(RunError, match="Runs found: .*run"):
        open_run(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "run.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(RunError, match="cannot be read"):
        open_run(broken)
    with sqlite3.connect(finished / "run.db") as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    with pytest.raises(RunError, match="was written in format 99; this version reads up to 2"):
        open_run(finished)


def test_environment_names_versions():
    environment = describe_environment()
    assert environment["packages"]["torch"]
    json.dumps(environment)


def test_events_keep_their_order_and_counts_name_every_status(tmp_path):
    journal = Journal(tmp_path / "run.db", create=True)
    one = journal.asked({"l": 1}, "a" * 64, seed=3, proposal={"reason": "initial"})
    journal.started(one)
    two = journal.asked({"l": 2}, "b" * 64, seed=4, proposal={})
    journal.requeued(one, "lost")
    journal.finished(two, "failed", cause="nan", error="NaN")
    kinds = [(kind, trial) for kind, trial, _ in journal.events()]
    assert kinds == [("ask", 1), ("start", 1), ("ask", 2), ("requeue", 1), ("tell", 2)]
    assert journal.counts() == {**dict.fromkeys(STATUSES, 0), "queued": 1, "failed": 1}
    assert journal.trials()[0]["proposal"] == {"reason": "initial"}
    reader = Journal(tmp_path / "run.db", readonly=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.set_meta("a", "b")


def test_repr_says_where_and_how_much(finished):
    assert repr(open_run(finished)) == f"Run({str(Path(finished))!r}, {{'done': 7, 'failed': 1}})"


def older(directory):
    """Turn a run into what the first version of the format wrote."""
    with sqlite3.connect(directory / "run.db") as db:
        for name in (
            "continues",
            "worker",
            "gpu_seconds",
            "spent_seconds",
            "adjusted",
            "history",
            "logs",
        ):
            db.execute(f"ALTER TABLE trials DROP COLUMN {name}")
        db.execute("UPDATE meta SET value = '1' WHERE key = 'format'")
    return directory


def test_a_run_of_the_older_format_is_read_as_it_is_and_migrated_by_its_next_driver(finished):
    before = open_run(finished).journal.trials()
    older(finished)
    read = open_run(finished)
    assert read.journal.meta("format") == "1"
    absent = {"worker": None, "spent_seconds": None, "gpu_seconds": None, "history": []}
    assert read.journal.trials() == [{**row, **absent} for row in before]
    assert len(read.trials()) == len(before)
    read.close()
    driven = open_run(finished, readonly=False)
    assert driven.journal.meta("format") == str(FORMAT)
    assert driven.journal.trials() == [{**row, **absent} for row in before]


def test_what_is_written_together_is_committed_together(tmp_path):
    journal = Journal(tmp_path / "run.db", create=True)
    reader = Journal(tmp_path / "run.db", readonly=True)
    with journal.together():
        request = journal.requested(2)
        trial = journal.asked({"l": 1}, "a" * 64, seed=3, proposal={}, request=request)
        journal.started(trial, worker=1)
        assert reader.trials() == []
    assert reader.trials()[0]["worker"] == 1
    with suppress(KeyError), journal.together():
        journal.finished(trial, "done")
        raise KeyError
    assert reader.counts()["running"] == 1
    assert [kind for kind, *_ in reader.events()] == ["request", "ask", "start"]


def test_a_promotion_is_a_trial_of_its_own(tmp_path):
    journal = Journal(tmp_path / "run.db", create=True)
    low = journal.asked({"l": 1}, "a" * 64, seed=3, proposal={"reason": "initial"}, fidelity=0.25)
    high = journal.promoted(low, {"l": 1}, "a" * 64, seed=3, fidelity=1.0, proposal={})
    rows = journal.trials()
    assert [(r["trial"], r["fidelity"], r["continues"]) for r in rows] == [
        (low, 0.25, None),
        (high, 1.0, low),
    ]


def test_best_front_and_picks_are_of_the_highest_fidelity(begin, pretend):
    search = begin(trials=3)
    search.run_until_done()
    journal = search.run.journal
    low, high = journal.trials()[:2]
    journal._db.execute("UPDATE trials SET fidelity = 0.25 WHERE trial != 2")
    flattering = json.dumps({**low["scores"], "glue": 0.99})
    journal._db.execute("UPDATE trials SET scores = ? WHERE trial = 1", (flattering,))
    run = search.run
    assert run.finished()["trial"].tolist() == [2]
    assert run.pick("best")["trial"] == run.pick("knee")["trial"] == 2
    assert run.pareto()["trial"].tolist() == [2]
    # the same architecture at two fidelities is one pick, the higher
    journal._db.execute("UPDATE trials SET hash = ? WHERE trial = 1", (high["hash"],))
    assert run.pick(high["hash"][:10])["trial"] == 2
    # and of one that failed on its way up the one that finished
    journal._db.execute("UPDATE trials SET status = 'failed', cause = 'nan' WHERE trial = 2")
    assert run.pick(high["hash"][:10])["trial"] == 1


def test_a_lock_left_by_a_dead_driver_is_taken_over_and_said(begin):
    search = begin()
    directory = search.run.directory
    search.run.close()
    assert (directory / "run.lock").read_text() == ""
    left = json.dumps({"process": 2**22 + 1, "node": platform.node()})
    (directory / "run.lock").write_text(left)
    second = open_run(directory, readonly=False)
    assert second.lock().startswith(f"Taking over from process {2**22 + 1}")
    third = open_run(directory, readonly=False)
    with pytest.raises(RunError, match=rf"\(process {os.getpid()} on "):
        third.lock()
    second.close()
    # A driver on another machine is believed dead only after a minute without a sign of life.
    (directory / "run.lock").write_text(json.dumps({"process": 1, "node": "elsewhere"}))
    third.journal.begin_session()
    with pytest.raises(RunError, match="process 1 on elsewhere"):
        third.lock()
    with third.journal._db as db:
        db.execute("UPDATE sessions SET seen_at = seen_at - 1000")
    assert "elsewhere" in third.lock()
