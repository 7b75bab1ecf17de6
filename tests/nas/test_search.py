"""The loop: what is asked, recorded and told, whatever goes wrong meanwhile."""

import pytest

from nas.execution import Outcome
from nas.proposing import InlineProposer
from nas.reaiming import reaim
from nas.runs import open_run
from nas.search import EXIT_CODES, Search
from nas.trial_book import trial_seed, write_whole
from search_spaces import FiniteSpace, load_space
from surrogates import make_policy


def hashes(run):
    return [record["hash"] for record in run.journal.trials()]


def again(run, executor, **changes):
    """Open the run as a second driver would, after the first has gone."""
    run.close()
    opened = open_run(run.directory, readonly=False)
    opened.lock()
    plan = reaim(opened, changes)
    policy = make_policy(
        plan.policy, load_space(plan.space), dict(plan.objectives), seed=plan.seed,
        constraints=plan.constraints,
    )  # fmt: skip
    return Search(opened, plan, InlineProposer(policy), executor)


def test_a_search_trains_what_was_planned_and_records_it(begin):
    seen = []
    search = begin(watch=seen.append)
    assert search.run_until_done() == "trials"
    records = search.run.journal.trials()
    assert [r["status"] for r in records] == ["done"] * 8
    assert len(set(hashes(search.run))) == 8
    assert all((search.run.weights / f"{h}.safetensors").read_bytes() for h in hashes(search.run))
    assert search.run.journal.meta("ended") == "trials"
    last = seen[-1]
    assert last.counts["done"] == last.planned == 8
    assert last.best == max(r["scores"]["glue"] for r in records)
    assert last.left == 0
    assert 1 <= last.front <= 8
    assert {p.latest["trial"] for p in seen if p.latest} == {r["trial"] for r in records}


@pytest.mark.parametrize("policy", ["random", "boshnas"])
def test_killed_and_resumed_asks_what_the_uninterrupted_search_asks(begin, policy, pretend):
    whole = begin(name="whole", policy=policy, executor=pretend(capacity=1))
    whole.run_until_done()
    faults = {5: KeyboardInterrupt()}
    cut = begin(name="cut", policy=policy, executor=pretend(capacity=1, faults=faults))
    assert cut.run_until_done() == "interrupted"
    counts = cut.run.journal.counts()
    assert (counts["done"], counts["queued"], counts["running"]) == (4, 1, 0)
    second = pretend(capacity=1)
    resumed = again(cut.run, second)
    assert resumed.run_until_done() == "trials"
    assert hashes(resumed.run) == hashes(whole.run)
    # The interrupted trial runs again, the finished ones do not.
    assert [job.trial for job in second.performed] == [5, 6, 7, 8]


def test_a_driver_that_died_leaves_running_trials_that_run_again(begin, pretend):
    search = begin()
    search.run.journal.begin_session()
    journal = search.run.journal
    (first,) = search.proposer.policy.ask(1)
    request = journal.requested(1)
    trial = journal.asked(first.to_dict(), first.hash, seed=1, proposal={}, request=request)
    journal.started(trial)
    executor = pretend()
    resumed = again(search.run, executor)
    assert resumed.run_until_done() == "trials"
    assert executor.performed[0].trial == trial
    assert resumed.run.journal.counts()["done"] == 8


def test_a_finished_run_can_be_extended(begin, pretend):
    search = begin(trials=3)
    search.run_until_done()
    first = hashes(search.run)
    longer = again(search.run, pretend(), trials="5")
    assert longer.run_until_done() == "trials"
    assert len(set(hashes(longer.run))) == 5
    assert hashes(longer.run)[:3] == first


def test_failures_are_recorded_told_and_survived(begin, pretend):
    faults = {
        2: Outcome(2, seconds=1.0, cause="out-of-memory", error="no memory", traceback="trace"),
        4: Outcome(4, scores={"glue": float("nan")}, costs={"parameters": 1.0}, seconds=1.0),
    }
    search = begin(executor=pretend(faults=faults))
    assert search.run_until_done() == "trials"
    records = {r["trial"]: r for r in search.run.journal.trials()}
    assert records[2]["status"] == "failed"
    assert (records[2]["cause"], records[2]["error"]) == ("out-of-memory", "no memory")
    assert records[4]["cause"] == "nan"
    assert records[4]["error"] == "The trial returned glue = nan."
    assert search.run.journal.counts()["done"] == 6
    assert len(search.proposer.policy.pending()) == 0


def test_a_lost_worker_does_not_count_against_its_trial(begin, pretend):
    losses = {1: 1, 2: 4}

    def lose(job):
        losses[job.trial] -= 1
        return Outcome(job.trial, cause="lost", error="gone") if losses[job.trial] >= 0 else None

    search = begin(executor=pretend(faults=dict.fromkeys(losses, lose)), trials=4)
    assert search.run_until_done() == "trials"
    records = {r["trial"]: r for r in search.run.journal.trials()}
    assert [(records[t]["status"], records[t]["attempts"]) for t in (1, 2)] == [
        ("done", 2),
        ("done", 5),
    ]
    assert [entry["cause"] for entry in records[2]["history"]] == ["lost"] * 4


def test_a_trial_that_takes_every_worker_along_is_given_up_in_the_end(begin, pretend):
    def lose(job):
        return Outcome(job.trial, cause="lost", error="the worker is gone")

    search = begin(executor=pretend(faults={3: lose}))
    assert search.run_until_done() == "trials"
    records = {r["trial"]: r for r in search.run.journal.trials()}
    assert (records[3]["status"], records[3]["cause"]) == ("failed", "lost")
    assert search.run.journal.counts()["done"] == 7


def test_workers_that_only_vanish_end_the_search(begin, pretend):
    faults = {n: Outcome(n, cause="preempted", error="taken back") for n in range(1, 9)}
    search = begin(executor=pretend(faults=faults))
    assert search.run_until_done() == "lost"
    counts = search.run.journal.counts()
    assert (counts["failed"], counts["done"]) == (0, 0)
    second = again(search.run, pretend())
    assert second.run_until_done() == "trials"
    assert second.run.journal.counts()["done"] == 8


def test_first_trials_that_all_fail_alike_end_the_search(begin, pretend):
    faults = {
        n: Outcome(n, cause="error", error="ValueError: bad recipe", traceback="trace")
        for n in range(1, 9)
    }
    search = begin(executor=pretend(capacity=1, faults=faults))
    assert search.run_until_done() == "failing"
    assert EXIT_CODES["failing"] == 5
    assert search.run.journal.counts()["failed"] == 3


def test_a_spent_time_budget_starts_nothing_more(begin, pretend):
    search = begin(time="1s", executor=pretend(capacity=1))
    # One trial takes 2 pretended seconds, so after the first no other fits into one second.
    assert search.run_until_done() == "time"
    assert search.run.journal.counts()["done"] == 1


def test_a_small_space_ends_cleanly(begin):
    few = FiniteSpace(load_space("flexibert-micro").sample(3, seed=0), name="few")
    search = begin(space=few)
    assert search.run_until_done() == "exhausted"
    assert search.run.journal.counts()["done"] == 3


def test_trial_seeds_depend_on_run_and_architecture_alone():
    assert trial_seed(0, "ab") == trial_seed(0, "ab")
    assert len({trial_seed(s, h) for s in (0, 1) for h in "ab"}) == 4
    assert 0 <= trial_seed(3, "x") < 2**32


def test_a_file_is_whole_or_absent(tmp_path):
    write_whole(tmp_path / "w", b"abc")
    assert (tmp_path / "w").read_bytes() == b"abc"
    assert [p.name for p in tmp_path.iterdir()] == ["w"]
