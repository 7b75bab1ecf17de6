"""Confirmation: fresh seeds, nothing done twice, both numbers in tables and cards."""

import dataclasses
import json
import shutil
import signal
import statistics
from collections import deque

import pytest
from click.testing import CliRunner

import nas
from nas.cli.main import cli
from nas.cli.train import read_changes
from nas.execution import Executor, Outcome
from nas.runs.confirmations import Confirmations, confirmed_facts
from nas.single.confirm import confirm, confirmation_seed, for_longer, said_for_longer
from nas.single.exporting import trial_card
from nas.training.recipe import Recipe
from search_spaces.errors import RunError


@pytest.fixture
def copied(run, tmp_path):
    return nas.open_run(shutil.copytree(run.directory, tmp_path / "copy"))


class Answers(Executor):
    """Scores that depend on the seed; `faults` maps the job's turn to a cause of failure."""

    capacity, where = 2, "nowhere"

    def __init__(self, faults=None):
        self.faults, self.jobs, self.turn, self.all, self.closed = faults or {}, deque(), 0, [], 0

    def __call__(self, settings, recipe, data, storage=None):
        assert storage is None  # or the weights of the search would be written over
        return self

    def submit(self, job):
        self.jobs.append(job)
        self.all.append(job)

    def wait(self, seconds):
        self.turn += 1
        job = self.jobs.pop()  # not in the order they came
        fault = self.faults.get(self.turn)
        if isinstance(fault, BaseException):
            raise fault
        if callable(fault):
            fault()
        elif fault:
            return [Outcome(job.trial, cause=fault, error="no reason")]
        value = job.seed % 1000 / 1000
        return [Outcome(job.trial, scores={"glue": value, "sst2": value}, seconds=1.0)]

    def close(self):
        self.closed += 1


@pytest.fixture
def answers(monkeypatch):
    def use(faults=None):
        executor = Answers(faults)
        monkeypatch.setattr("nas.single.confirm.make_executor", executor)
        return executor

    return use


def test_the_lock_is_given_up_whatever_the_end(copied, answers):
    answers()
    confirm(copied, top=1, seeds=1, measured=False)
    assert copied.lock() is None  # nobody is said to be gone without giving it up
    copied.unlock()
    answers({1: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        confirm(copied, top=1, seeds=2, measured=False)
    assert copied.lock() is None
    confirm(copied, top=1, seeds=1, measured=False)
    assert copied.locked  # it was another's, who goes on


def test_the_numbers_of_search_and_confirmation_stand_side_by_side(copied, answers):
    executor = answers()
    chosen = confirm(copied, top=1, seeds=3)
    record = next(r for r in copied.journal.trials() if r["hash"] == chosen[0])
    assert record["scores"]["glue"] == copied.pareto().iloc[0]["glue"]
    seeds = [confirmation_seed(0, chosen[0], n) for n in (1, 2, 3)]
    assert [job.seed for job in executor.all] == seeds
    assert record["seed"] not in seeds
    assert len(set(seeds)) == 3
    assert all(job.architecture == record["architecture"] for job in executor.all)
    values = [seed % 1000 / 1000 for seed in seeds]
    (row,) = copied.confirmations().to_dict("records")
    assert row["seeds"] == 3
    assert row["glue"] == record["scores"]["glue"]
    assert row["glue_mean"] == pytest.approx(statistics.fmean(values))
    assert row["glue_std"] == pytest.approx(statistics.stdev(values))
    assert row["latency_ms"] == record["costs"]["latency_ms"]
    assert row["latency_ms_mean"] > 0
    assert row["latency_ms_std"] > 0
    facts = trial_card(copied, record)["confirmed"]
    assert facts["seeds"] == 3
    assert facts["sst2_mean"] == pytest.approx(statistics.fmean(values))
    other = next(r for r in copied.journal.trials() if r["hash"] != chosen[0])
    assert "confirmed" not in trial_card(copied, other)
    assert executor.closed == 1


def test_what_is_finished_is_not_repeated(copied, answers):
    executor = answers({3: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        confirm(copied, top=1, seeds=4)
    assert executor.closed == 1
    first = Confirmations(copied.directory).trainings()
    assert len(first) == 2
    again, said = answers(), []
    confirm(copied, top=1, seeds=4, say=said.append)
    assert said[0] == "4 trainings: 2 done before, 2 to do"
    assert {job.seed for job in again.all}.isdisjoint(row["seed"] for row in first)
    latencies = Confirmations(copied.directory).latencies()
    assert len(latencies) == 4
    none = answers()
    confirm(copied, top=1, seeds=4)
    assert none.all == []
    assert Confirmations(copied.directory).latencies() == latencies
    more = answers()
    confirm(copied, top=1, seeds=5)
    assert len(more.all) == 1


def test_an_interrupt_lets_the_trainings_in_flight_end_and_says_how_to_continue(copied, answers):
    executor = answers({2: lambda: signal.raise_signal(signal.SIGINT)})
    arguments = ["confirm", str(copied.directory), "--top", "1", "--seeds", "5"]
    answer = CliRunner().invoke(cli, arguments)
    assert answer.exit_code == 4, answer.output
    assert "Stopping: waiting for the trainings in flight" in answer.output
    assert f"Continue: nas {' '.join(arguments)}" in answer.output
    assert len(executor.all) == 3  # two in flight, and one that the first result made room for
    assert len(Confirmations(copied.directory).trainings()) == 3
    assert executor.closed == 1


def test_what_a_retry_changed_is_changed_in_a_confirmation_too(copied, answers, monkeypatch):
    records = copied.journal.trials()
    changed = {"alone": True, "micro_batches": 2, "learning_rate_scale": 0.5}
    records = [record | {"adjusted": changed} for record in records]
    monkeypatch.setattr(copied.journal, "trials", lambda: records)
    executor = answers()
    confirm(copied, top=1, seeds=1)
    (job,) = executor.all
    assert (job.micro_batches, job.learning_rate_scale) == (2, 0.5)
    assert trial_card(copied, records[0])["adjusted_after_failure"] == {
        "learning_rate_scale": 0.5,
        "micro_batches": 2,
    }


def test_failures_are_said_and_tried_again_and_lost_workers_do_not_count(copied, answers):
    executor, said = answers({1: "nan", 2: "lost"}), []
    confirm(copied, top=1, seeds=2, say=said.append)
    assert len(executor.all) == 3  # the lost one once more
    assert any("failed (nan): no reason" in line for line in said)
    (row,) = copied.confirmations().to_dict("records")
    assert (row["seeds"], row["failed"]) == (1, 1)
    assert row["glue_std"] != row["glue_std"]  # one value has no deviation
    again = answers()
    confirm(copied, top=1, seeds=2)
    assert len(again.all) == 1
    assert confirmed_facts(copied.directory, {"hash": row["hash"], "scores": {}})["failed"] == 0


def test_a_run_without_finished_trials_or_with_a_driver(begin, copied, answers):
    search = begin()
    with pytest.raises(RunError, match="has no finished trial to confirm. Continue it with"):
        confirm(search.run, top=1, seeds=1)
    assert not (search.run.directory / "confirmations.db").exists()
    other = nas.open_run(copied.directory)
    other.lock()
    with pytest.raises(RunError, match="Another process is driving the run"):
        confirm(copied, top=1, seeds=1)


def test_the_command_trains_for_real_and_leaves_the_weights_of_the_search(copied):
    before = {path: path.read_bytes() for path in (copied.directory / "weights").iterdir()}
    arguments = ["confirm", str(copied.directory), "--top", "1", "--seeds", "1"]
    answer = CliRunner().invoke(cli, arguments)
    assert answer.exit_code == 0, answer.output
    assert "1 training: 0 done before, 1 to do" in answer.output
    assert "glue_mean" in answer.output
    (training,) = Confirmations(copied.directory).trainings()
    assert set(training["scores"]) == {"glue", "sst2", "stsb"}
    assert {p: p.read_bytes() for p in before} == before
    answer = CliRunner().invoke(cli, [*arguments, "--format", "json"])
    (row,) = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    assert row["glue_mean"] == pytest.approx(training["scores"]["glue"])


@pytest.mark.parametrize(
    ("distillation", "said"),
    [
        ("hidden", "hidden(steps=2)"),
        ("logits(labels=0.5)", "logits(labels=0.5,steps=2)"),
        ("none", None),
    ],
)
def test_what_is_said_of_longer_trainings_repeats_them(distillation, said):
    recipe = dataclasses.replace(Recipe(), slots={"distillation": distillation})
    changes = read_changes(tuple(said_for_longer(recipe, 3)))
    assert changes.get("distillation") == said
    again = Recipe.from_dict({**recipe.to_dict(), **changes})
    assert again == Recipe.from_dict(for_longer(recipe, 3).to_dict())
    assert again.finetune_epochs == 3 * recipe.finetune_epochs
