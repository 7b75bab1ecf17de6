"""The loop: what is asked, recorded and told, whatever goes wrong meanwhile."""

import math

import pytest

from nas.cli.search import _say_why
from nas.execution import Outcome
from nas.execution.jobs import EngineGone, trial_seed
from nas.proposals.building import run_policy
from nas.proposals.proposer import InlineProposer
from nas.runs.directory import open_run
from nas.runs.endings import EXIT_CODES
from nas.search.loop import Search
from nas.search.reaiming import reaim
from nas.search.replay import replayed
from nas.search.retries import LOSSES_OF_ONE
from search_spaces import FiniteSpace, load_space
from search_spaces.errors import InvalidExperiment


def hashes(run):
    return [record["hash"] for record in run.journal.trials()]


def again(run, executor, **changes):
    """Open the run as a second driver would, after the first has gone."""
    run.close()
    opened = open_run(run.directory, readonly=False)
    opened.lock()
    plan = reaim(opened, changes)
    return Search(opened, plan, InlineProposer(run_policy(plan, None)), executor)


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


def test_an_engine_that_dies_ends_the_search_to_be_resumed(begin, pretend):
    gone = EngineGone("Ray's raylet on this machine has ended (signal 9)")
    search = begin(executor=pretend(faults={3: gone}))
    assert search.run_until_done() == "engine-gone"
    journal = search.run.journal
    assert journal.meta("ended") == "engine-gone"
    assert journal.running() == []
    assert str(gone) in {payload.get("why") for kind, _, payload in journal.events()}
    _say_why(search.run, "engine-gone")
    resumed = again(search.run, pretend())
    assert resumed.run_until_done() == "trials"
    assert len(set(hashes(resumed.run))) == len(hashes(resumed.run)) == 8


def test_a_record_that_takes_no_more_ends_the_search_to_be_resumed(begin, pretend):
    def fill(job):
        # no more pages than it has: what SQLite says then is what it says of a full disk
        db = search.run.journal._db
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
        return Outcome(job.trial, cause="error", error="x" * 100_000, seconds=1.0)

    search = begin(executor=pretend(faults={3: fill}))
    assert search.run_until_done() == "no-space"
    resumed = again(search.run, pretend())
    assert resumed.run_until_done() == "trials"
    assert not any(decision.differs for decision in replayed(resumed.run))


def test_workers_that_join_get_work_and_those_that_leave_get_none(begin, pretend):
    executor, sizes = pretend(capacity=1), {2: 4, 12: 2}

    def note(progress):
        executor.capacity = sizes.pop(progress.counts["done"], executor.capacity)
        most.append((executor.capacity, progress.counts["running"]))

    most = []
    search = begin(executor=executor, trials=20, watch=note)
    assert search.run_until_done() == "trials"
    assert max(running for capacity, running in most if capacity == 4) >= 3  # one just ended
    assert [n for _, n in search.run.journal.capacities()] == [1, 4, 2]
    assert {r["worker"] for r in search.run.journal.trials()} == {0, 1, 2, 3}


def test_the_policy_says_where_its_proposals_start_and_a_replay_says_the_same(begin, monkeypatch):
    def by_hash(fidelities, record, architecture, objective):
        return fidelities[int(architecture.hash, 16) % 3]

    monkeypatch.setattr("surrogates.policy.next_fidelity", by_hash)
    search = begin(policy="boshnas", fidelity="policy", objectives="glue:max")
    search.run_until_done()
    first = [r for r in search.run.journal.trials() if r["continues"] is None]
    expected = [search.experiment.fidelities[int(r["hash"], 16) % 3] for r in first]
    assert [r["fidelity"] for r in first] == expected
    assert len(set(expected)) == 3
    assert not any(decision.differs for decision in replayed(search.run))
    monkeypatch.undo()
    other = {d.what.partition(" of")[0] for d in replayed(search.run) if d.differs}
    assert "proposed fidelity" in other


def test_lower_fidelities_train_fewer_tasks_and_the_whole_budget_all(begin, pretend):
    executor = pretend(capacity=1)
    search = begin(
        executor=executor, trials=9, fidelity="hyperband", fidelity_tasks=["sst2", "sst2,rte"]
    )
    search.run_until_done()
    tasks = {job.fidelity: job.tasks for job in executor.performed}
    assert tasks == {0.11: ("sst2",), 0.33: ("sst2", "rte"), 1.0: None}
    assert not any(decision.differs for decision in replayed(search.run))


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
        5: Outcome(5, scores={"glue": math.inf}, costs={"parameters": 1.0}, seconds=1.0),
        6: Outcome(6, scores={"glue": 0.5}, costs={"parameters": -math.inf}, seconds=1.0),
    }
    search = begin(executor=pretend(faults=faults))
    assert search.run_until_done() == "trials"
    records = {r["trial"]: r for r in search.run.journal.trials()}
    assert records[2]["status"] == "failed"
    assert (records[2]["cause"], records[2]["error"]) == ("out-of-memory", "no memory")
    assert records[4]["cause"] == "nan"
    assert records[4]["error"] == "The trial returned glue = nan."
    assert (records[5]["cause"], records[6]["cause"]) == ("nan", "nan")
    assert records[5]["error"] == "The trial returned glue = inf."
    assert records[6]["error"] == "The trial returned parameters = -inf."
    assert search.run.journal.counts()["done"] == 4
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


def test_trials_at_the_front_that_take_workers_of_a_node_along_that_is_well(begin, pretend):
    gone = [Outcome(n, cause="lost", error="gone", node_answers=True) for n in range(15)]
    search = begin(executor=pretend(faults={n: lambda job: gone[job.trial] for n in (1, 2)}))
    assert search.run_until_done() == "trials"
    counts = search.run.journal.counts()
    assert (counts["failed"], counts["done"]) == (2, 6)
    assert len(search.run.journal.trials()[0]["history"]) == LOSSES_OF_ONE
    # where nothing else happens any more, it is the machine after all
    faults = {n: lambda job: gone[job.trial] for n in range(2, 15)}
    search = begin(name="broken", executor=pretend(faults=faults), trials=14)
    assert search.run_until_done() == "lost"
    assert search.run.journal.counts()["failed"] == 10


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


def long(job):
    return Outcome(job.trial, scores={"glue": 0.5}, costs={"parameters": 1.0}, seconds=1800.0)


def test_a_spent_time_budget_starts_nothing_more(begin, pretend):
    search = begin(time="1000s", executor=pretend(capacity=1, faults={1: long}))
    # One trial takes 1800 pretended seconds, so after the first no other fits.
    assert search.run_until_done() == "time"
    assert search.run.journal.counts()["done"] == 1


@pytest.mark.parametrize(
    ("budget", "reason"),
    [({"cost": 3.0, "price_per_hour": 2.0}, "cost"), ({"gpu_hours": 0.8}, "gpu_hours")],
)
def test_a_budget_of_money_or_gpu_hours_is_never_overrun(begin, pretend, budget, reason):
    executor = pretend(capacity=2, faults=dict.fromkeys(range(1, 9), long))
    executor.gpus_per_trial = 0.5
    search = begin(executor=executor, **budget)
    assert search.run_until_done() == reason
    # half an hour costs 1, and is a quarter of a GPU-hour
    assert search.run.journal.counts()["done"] == 3
    records = search.run.journal.trials()
    assert sum(r["gpu_seconds"] or 0 for r in records) == 3 * 900
    more = {name: 2 * value for name, value in budget.items() if name == reason}
    longer = again(search.run, executor, **more)
    assert longer.run_until_done() == reason
    assert longer.run.journal.counts()["done"] == 6


def test_patience_ends_a_search_without_progress(begin, pretend):
    def flat(job):
        return Outcome(job.trial, scores={"glue": 0.5}, costs={"parameters": 1.0}, seconds=1.0)

    faults = dict.fromkeys(range(2, 9), flat)
    search = begin(executor=pretend(capacity=1, faults=faults), objectives="glue:max", patience=3)
    assert search.run_until_done() == "patience"
    best = [r["scores"]["glue"] for r in search.run.journal.trials() if r["status"] == "done"]
    assert best.index(max(best)) == len(best) - 1 - 3


def test_memory_and_nan_get_other_settings_a_bug_does_not(begin, pretend):
    seen = []

    def fail(cause):
        def act(job):
            seen.append((job.trial, job.alone, job.micro_batches, job.learning_rate_scale))
            return Outcome(job.trial, cause=cause, error=cause, seconds=1.0, node="n", logs="last")

        return act

    faults = {2: fail("out-of-memory"), 4: fail("nan"), 5: fail("error"), 6: fail("time-out")}
    search = begin(executor=pretend(capacity=1, faults=faults), retry_nan=True)
    assert search.run_until_done() == "trials"
    assert [s[1:] for s in seen if s[0] == 2] == [
        (False, 1, 1.0),
        (True, 1, 1.0),
        (True, 2, 1.0),
        (True, 4, 1.0),
        (True, 8, 1.0),
    ]
    assert [s[1:] for s in seen if s[0] == 4] == [(False, 1, 1.0), (False, 1, 0.5)]
    assert [s[0] for s in seen if s[0] > 4] == [5, 6]
    record = search.run.journal.trials()[1]
    assert (record["status"], record["cause"], record["attempts"]) == ("failed", "out-of-memory", 5)
    assert (record["logs"], record["node"], record["spent_seconds"]) == ("last", "n", 5.0)
    assert [entry["attempt"] for entry in record["history"]] == [1, 2, 3, 4, 5]


def test_a_measurement_without_an_objective_is_an_error_that_names_it(begin, pretend):
    faults = {n: Outcome(n, scores={"acc": 1.0}, seconds=1.0) for n in range(1, 9)}
    search = begin(executor=pretend(faults=faults))
    assert search.run_until_done() == "failing"
    error = search.run.journal.trials()[0]["error"]
    assert error == ("The trial returned no 'glue', which the search needs; it returned acc.")


def test_a_name_that_is_a_score_and_a_cost_is_an_error_that_names_it(begin, pretend):
    both = {"scores": {"glue": 0.5, "latency_ms": 1.0}, "costs": {"latency_ms": 2.0}}
    faults = {n: Outcome(n, **both, seconds=1.0) for n in range(1, 9)}
    search = begin(executor=pretend(faults=faults))
    assert search.run_until_done() == "failing"
    error = search.run.journal.trials()[0]["error"]
    assert error.startswith("The trial returned 'latency_ms' as a score and as a cost")


def test_a_full_disk_pauses_the_search(begin, pretend, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    search = begin(executor=pretend(capacity=1))
    with monkeypatch.context() as patched:
        patched.setattr("nas.search.trial_book.write_whole", full)
        patched.setattr("nas.execution.disk_room._PATIENCE_SECONDS", 0.0)
        assert search.run_until_done() == "no-space"
    assert search.run.journal.counts()["queued"] == 1
    resumed = again(search.run, pretend())
    assert resumed.run_until_done() == "trials"
    assert resumed.run.journal.counts()["done"] == 8


def test_a_run_can_be_aimed_at_something_else_without_training_again(begin, pretend):
    search = begin(trials=4, policy="boshnas")
    search.run_until_done()
    executor = pretend()
    change = {"objectives": {"latency_ms": "min"}, "constraints": ["parameters<4e5"]}
    aimed = again(search.run, executor, trials="+3", **change)
    assert aimed.run_until_done() == "trials"
    assert [job.trial for job in executor.performed] == [5, 6, 7]
    assert aimed.run.objectives == {"latency_ms": "min"}
    assert len(aimed.proposer.policy.trials()) == 7
    with pytest.raises(InvalidExperiment, match="Trial 1 of .* has no 'rte', so the run cannot"):
        again(aimed.run, executor, objectives={"rte": "max"})
    assert open_run(search.run.directory).objectives == {"latency_ms": "min"}


def test_a_small_space_ends_cleanly(begin):
    few = FiniteSpace(load_space("flexibert-micro").sample(3, seed=0), name="few")
    search = begin(space=few)
    assert search.run_until_done() == "exhausted"
    assert search.run.journal.counts()["done"] == 3


def test_trial_seeds_depend_on_run_and_architecture_alone():
    assert trial_seed(0, "ab") == trial_seed(0, "ab")
    assert len({trial_seed(s, h) for s in (0, 1) for h in "ab"}) == 4
    assert 0 <= trial_seed(3, "x") < 2**32
