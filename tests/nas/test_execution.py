"""Engines: outcomes for every way a trial can end, in this process and on real Ray."""

import os
import signal
import time

import pytest

from nas.config import Execution
from nas.execution import EXECUTORS, Job, make_executor
from nas.execution.perform import cause_of, perform
from nas.training.measurement import Measurement
from nas.training.recipe import Recipe
from search_spaces import load_space
from search_spaces.errors import InvalidExperiment, RunError, TrialError, UnknownName


def job(trial=1, timeout=100.0):
    (architecture,) = load_space("flexibert-micro").sample(1, seed=trial)
    return Job(trial, architecture.to_dict(), seed=trial, timeout=timeout)


def fake_trial(architecture, recipe, data, *, seed, deadline, weights_path):
    """Do what `data`, a function here, says instead of training."""
    weights_path.write_bytes(b"weights")
    return data(seed)


def measured(seed):
    return Measurement(scores={"glue": seed / 10}, costs={"parameters": 5.0}, seconds=1.0)


def raises(error):
    def act(seed):
        raise error

    return act


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr("nas.training.trial.run_trial", fake_trial)


@pytest.mark.usefixtures("fake")
def test_a_finished_trial_brings_scores_costs_and_weights():
    outcome = perform(job(3), Recipe(), measured)
    assert (outcome.trial, outcome.cause, outcome.scores) == (3, None, {"glue": 0.3})
    assert outcome.weights == b"weights"
    assert outcome.device == "cpu"
    assert outcome.node


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TrialError("NaN at step 3", "nan"), "nan"),
        (TrialError("too slow", "time-out"), "time-out"),
        (MemoryError("no"), "out-of-memory"),
        (ValueError("bug"), "error"),
    ],
)
@pytest.mark.usefixtures("fake")
def test_a_failure_has_a_cause_a_line_and_a_traceback(error, cause):
    assert cause_of(error) == cause
    outcome = perform(job(), Recipe(), raises(error))
    assert outcome.cause == cause
    assert outcome.error == f"{type(error).__name__}: {error}"
    assert "in act" in outcome.traceback
    assert outcome.weights is None


@pytest.mark.usefixtures("fake")
def test_inline_runs_jobs_in_order():
    executor = make_executor(Execution(engine="inline"), Recipe(), measured)
    executor.submit(job(1))
    executor.submit(job(2))
    assert [o.trial for _ in range(3) for o in executor.wait(0.1)] == [1, 2]
    executor.close()


def test_unknown_engine_is_named():
    assert sorted(EXECUTORS) == ["inline", "ray"]
    with pytest.raises(UnknownName, match="No engine is called 'rya'. Did you mean 'ray'"):
        EXECUTORS["rya"]


# On Ray, the worker imports the real run_trial, so the recipe's place is taken by an object that
# misbehaves when the worker looks at it.
class Misbehaving:
    """Stands in for the data: kills, hangs or raises inside the worker."""

    def __init__(self, how):
        self.how = how

    def __getattr__(self, name):
        if name.startswith("__") or name == "how":
            raise AttributeError(name)
        if self.how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "hang":
            time.sleep(1000)
        raise ValueError("a bug in the data")


@pytest.mark.parametrize(
    ("how", "cause", "message"),
    [("die", "lost", "died"), ("hang", "time-out", "No answer"), ("raise", "error", "a bug in")],
)
def test_ray_reports_how_a_worker_ended(how, cause, message, monkeypatch):
    monkeypatch.setattr("nas.execution.on_ray._GRACE", 1.0)
    executor = make_executor(Execution(max_concurrent=1), Recipe(), Misbehaving(how))
    try:
        assert executor.capacity == 1
        assert "this machine" in executor.where
        # Only the one that hangs has to run into its limit.
        executor.submit(job(1, timeout=3.0 if how == "hang" else 500.0))
        outcomes = []
        deadline = time.monotonic() + 120
        while not outcomes and time.monotonic() < deadline:
            outcomes = executor.wait(0.5)
        (outcome,) = outcomes
        assert (outcome.trial, outcome.cause) == (1, cause)
        assert message in outcome.error
    finally:
        executor.close()


@pytest.mark.parametrize("setting", ["cpus_per_trial", "gpus_per_trial"])
def test_asking_for_more_than_ray_has_is_refused(setting):
    import ray

    try:
        with pytest.raises(InvalidExperiment, match=f"{setting} is 5000, but Ray has"):
            make_executor(Execution(**{setting: 5000}), Recipe(), None)
    finally:
        ray.shutdown()


def test_an_address_nobody_answers_at_is_refused():
    with pytest.raises(RunError, match="No Ray cluster answers at '127.0.0.1:1'"):
        make_executor(Execution(address="127.0.0.1:1"), Recipe(), None)
