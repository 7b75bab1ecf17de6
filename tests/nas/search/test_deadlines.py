"""Deadlines from predicted time: trusted late, generous, and never above the setting."""

import pytest

from nas.execution import Outcome
from nas.search.deadlines import Deadlines, cost_of
from nas.search.replay import replayed
from search_spaces import load_space

SPACE = load_space("flexibert-micro")


def learned(limit, seconds, count=12):
    deadlines = Deadlines(limit, cost_of({"pretrain_tokens": 1000}, {}))
    for architecture in SPACE.sample(count, seed=1):
        deadlines.add({**row_of(architecture), "seconds": seconds})
    return deadlines


def row_of(architecture):
    return {"hash": architecture.hash, "architecture": architecture.to_dict(), "fidelity": 1.0}


def test_a_deadline_is_five_times_the_prediction_between_a_minute_and_the_setting():
    (new,) = SPACE.sample(1, seed=9)
    seconds, by = learned(3600.0, 100.0).of(row_of(new))
    assert by == "predicted"
    rows = [{"architecture": a, "seconds": 100.0} for a in SPACE.sample(12, seed=1)]
    expected = cost_of({"pretrain_tokens": 1000}, {}).fit(rows).predict(new)[0]
    assert seconds == pytest.approx(5 * expected, abs=0.1)
    assert 60 < expected < 160
    assert learned(3600.0, 0.01).of(row_of(new)) == (60.0, "predicted")
    assert learned(300.0, 100.0).of(row_of(new)) == (300.0, "trial_timeout")
    assert learned(20.0, 0.01).of(row_of(new)) == (20.0, "trial_timeout")
    assert learned(3600.0, 100.0, count=4).of(row_of(new)) == (3600.0, "trial_timeout")


def timing_out(begin, pretend, attempts, **settings):
    """Search with an eighth trial whose first attempts exceed their limit."""

    def fault(job):
        if job.attempt <= attempts:
            return Outcome(8, cause="time-out", error="No answer.", seconds=60.0)
        return None

    executor = pretend(capacity=1, faults={8: fault})
    search = begin(executor=executor, **settings)
    search.run_until_done()
    return executor, search


def test_a_search_takes_the_prediction_from_the_fifth_result_on_and_records_it(begin, pretend):
    executor, search = timing_out(begin, pretend, attempts=2)
    limits = [job.timeout for job in executor.performed]
    assert limits == [3600.0] * 5 + [60.0] * 3 + [120.0]
    starts = [p for kind, _, p in search.run.journal.events() if kind == "start"]
    assert [p["limit"] for p in starts] == limits
    assert [p["limited_by"] for p in starts] == ["trial_timeout"] * 5 + ["predicted"] * 4
    record = search.run.journal.trials()[7]
    assert (record["status"], record["cause"]) == ("failed", "time-out")
    assert [entry["limited_by"] for entry in record["history"]] == ["predicted"] * 2
    expected = "No answer. (limit: 5 times what finished trials let expect"
    assert record["history"][0]["error"] == f"{expected})"
    assert record["error"] == f"{expected}, doubled for this attempt)"
    assert not any(decision.differs for decision in replayed(search.run))


def test_a_limit_that_was_only_predicted_is_doubled_once(begin, pretend):
    executor, search = timing_out(begin, pretend, attempts=1)
    record = search.run.journal.trials()[7]
    assert (record["status"], record["attempts"]) == ("done", 2)
    assert record["adjusted"] == {"deadline_scale": 2.0}
    assert executor.performed[-1].timeout == 120.0


def test_a_limit_of_the_users_own_is_kept(begin, pretend):
    settings = {"engine": "inline", "trial_timeout": 30.0}
    executor, search = timing_out(begin, pretend, attempts=1, execution=settings)
    record = search.run.journal.trials()[7]
    assert (record["status"], record["attempts"]) == ("failed", 1)
    assert {job.timeout for job in executor.performed} == {30.0}


def test_of_batches_that_are_open_the_largest_must_fit():
    assert cost_of({"pretrain_batch": 16}, {}).batch == 16
    opened = {"pretrain_batch": 16, "open": {"pretrain_batch": [8, 64], "mask_rate": [0.1, 0.2]}}
    assert cost_of(opened, {}).batch == 64
