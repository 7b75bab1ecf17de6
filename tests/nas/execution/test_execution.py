"""Engines: outcomes for every way a trial can end, in this process and on real Ray."""

import dataclasses
import errno
import logging
import os
import signal
import sys
import time
from contextlib import nullcontext

import pytest

from nas.config import Execution
from nas.execution import BLAMELESS, EXECUTORS, Job, make_executor
from nas.execution.cluster import Node, require_places
from nas.execution.last_lines import KEPT_LINES, last_lines
from nas.execution.on_ray import RayExecutor
from nas.execution.perform import cause_of, perform, trial_function
from nas.execution.ray_alive import RayAlive
from nas.execution.whereabouts import verify_device
from nas.runs.storage import Storage
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


def chatty(architecture, recipe, data, *, seed, fidelity):
    """Stand in for training: print, log, and fail for odd seeds."""
    sys.stdout.write(f"seed {seed} at {fidelity:g}\n")
    logging.getLogger("nas.trial").warning("loss is rising")
    if seed % 2:
        raise OSError(errno.ENOSPC, "No space left on device")
    return {"scores": {"glue": 0.5}, "costs": {"parameters": 1.0}}


def test_a_function_can_stand_in_for_training_and_its_last_lines_are_kept():
    name = f"{__name__}:chatty"
    done = perform(dataclasses.replace(job(2), fidelity=0.25), None, None, function=name)
    assert (done.cause, done.scores, done.weights) == (None, {"glue": 0.5}, None)
    assert done.logs.splitlines() == ["seed 2 at 0.25", "loss is rising"]
    full = perform(job(1), None, None, function=name)
    assert full.cause == "no-space"
    assert full.cause in BLAMELESS
    assert "seed 1 at 1" in full.logs


def scored(architecture, recipe, data, *, seed):
    return {"scores": dict.fromkeys(recipe.tasks, 0.5), "costs": {}}


def test_a_job_may_ask_for_fewer_tasks_whose_result_is_another(tmp_path):
    storage, recipe = Storage(str(tmp_path)), Recipe(tasks=("sst2", "rte"))
    whole = {"function": f"{__name__}:scored", "storage": storage}
    few = dataclasses.replace(job(), tasks=("rte",))
    assert set(perform(few, recipe, None, **whole).scores) == {"rte"}
    assert set(perform(job(), recipe, None, **whole).scores) == {"sst2", "rte"}
    assert len(storage.sizes("results")) == 2


@pytest.mark.parametrize("name", ["no.such.module:run", "nas.config:no_such_function"])
def test_a_function_that_is_not_there_is_named(name):
    with pytest.raises(InvalidExperiment, match=name):
        trial_function(name)


def test_only_the_end_of_a_long_output_is_kept(capsys):
    with last_lines() as lines:
        for i in range(200):
            sys.stdout.write(f"line {i}\rline {i} again\n")
        sys.stdout.write("no end")
    assert len(lines) == KEPT_LINES
    assert list(lines)[-2:] == ["line 199 again", "no end"]
    assert "line 0" in capsys.readouterr().out


def test_places_are_counted_node_by_node():
    nodes = [Node("a", "big", 8, 2), Node("b", "small", 3, 0)]
    assert require_places(nodes, 2, 0) == 5
    assert require_places(nodes, 1, 1) == 2
    assert require_places(nodes, 1, 0.3) == 6
    assert require_places([Node("a", "n", 16, 1)], 1, 0.1) == 10
    with pytest.raises(InvalidExperiment, match="gpus_per_trial is 3.*more than 2: big has 8 CPUs"):
        require_places(nodes, 1, 3)
    with pytest.raises(InvalidExperiment, match="4 CPUs and 1 GPUs for a trial"):
        require_places([Node("a", "n", 4, 0), Node("b", "m", 2, 1)], 4, 1)


@pytest.mark.parametrize(
    ("visible", "gpus", "promised", "fine"),
    [
        ("1", ("1",), 1.0, True),
        ("0,1", ("1",), 1.0, False),
        ("", (), 0.5, False),
        ("", (), 0, True),
    ],
)
def test_the_device_is_verified(visible, gpus, promised, fine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with nullcontext() if fine else pytest.raises(TrialError, match="reserved GPU"):
        verify_device(promised, tuple(gpus), torch_needs_it=False)


def test_a_gpu_that_torch_does_not_see_is_a_fault(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(TrialError, match="torch sees 0 GPUs"):
        verify_device(1.0, ("0",), torch_needs_it=True)


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


def test_a_cluster_that_grows_by_itself_is_asked_for_all_that_may_run_at_once(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "ray.autoscaler.sdk.request_resources", lambda bundles: asked.append(bundles)
    )
    executor = object.__new__(RayExecutor)  # without a cluster
    executor._settings = Execution(address="head:6379", cpus_per_trial=2)
    executor.gpus_per_trial = 0.5
    executor._ask_cluster_for(3)
    executor._ask_cluster_for(0)
    assert asked == [[{"CPU": 2.0, "GPU": 0.5}] * 3, []]


def test_nodes_that_join_a_cluster_make_room(monkeypatch):
    nodes = [Node("a", "first", 4, 0)]
    monkeypatch.setattr("nas.execution.on_ray.alive_nodes", lambda: nodes)
    monkeypatch.setattr("nas.execution.on_ray._LOOK_EVERY_SECONDS", 0.0)
    executor = object.__new__(RayExecutor)  # without a cluster
    executor._settings, executor.gpus_per_trial = Execution(address="head:6379"), 0.0
    executor._nodes, executor._unchecked, executor._looked = {"a"}, set(), 0.0
    executor._alive = RayAlive()
    nodes.append(Node("b", "second", 2, 0))
    executor._look_for_nodes()
    assert (executor.capacity, executor._unchecked) == (6, {"b"})
    del nodes[0]
    executor._look_for_nodes()
    assert executor.capacity == 2
    executor._settings = Execution(address="head:6379", max_concurrent=1)
    executor._look_for_nodes()
    assert executor.capacity == 1


@pytest.mark.parametrize("setting", ["cpus_per_trial", "gpus_per_trial"])
def test_asking_for_more_than_ray_has_is_refused(setting):
    import ray

    try:
        with pytest.raises(InvalidExperiment, match=f"{setting} is 5000, but no node of Ray has"):
            make_executor(Execution(**{setting: 5000}), Recipe(), None)
    finally:
        ray.shutdown()


def test_an_address_nobody_answers_at_is_refused():
    with pytest.raises(RunError, match="No Ray cluster answers at '127.0.0.1:1'"):
        make_executor(Execution(address="127.0.0.1:1"), Recipe(), None)
