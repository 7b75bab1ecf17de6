"""A pretend engine and a run to search in, so that the loop is tested without training."""

import sys
from collections import deque

import pytest

from nas.cli.main import main
from nas.config import make_experiment
from nas.execution import Executor, Outcome
from nas.proposals.building import run_policy
from nas.proposals.proposer import InlineProposer
from nas.runs.directory import create_run
from nas.search.loop import Search
from search_spaces import Architecture
from surrogates import make_policy


@pytest.fixture(scope="session", autouse=True)
def _quick(quick_searches):
    """Trials in this process are trained as ever, and timed for a moment."""


def pretend_scores(architecture):
    """Return scores and costs that depend on the architecture alone."""
    depth, width = len(architecture.layers), architecture.layers[0].width
    size = depth * width
    return {"glue": 0.4 + size / 2000, "cola": 0.1}, {
        "parameters": 100.0 * size,
        "flops": 10.0 * size,
        "latency_ms": size / 64,
        "peak_memory_mb": 50.0,
    }


class PretendExecutor(Executor):
    """Answers in a shuffled but fixed order; `faults` maps a trial to what goes wrong."""

    def __init__(self, capacity=2, faults=None):
        self.capacity, self.where = capacity, "nowhere"
        self.faults = faults or {}
        self.jobs, self.performed, self.closed = deque(), [], False

    def submit(self, job):
        assert len(self.jobs) < self.capacity
        self.jobs.append(job)

    def wait(self, seconds):
        if not self.jobs:
            return []
        # Every third answer overtakes an older job, as on a real cluster.
        job = self.jobs.pop() if len(self.performed) % 3 == 2 else self.jobs.popleft()
        self.performed.append(job)
        fault = self.faults.get(job.trial)
        if isinstance(fault, BaseException):
            raise fault
        if callable(fault):
            fault = fault(job)
        if fault is not None:
            return [fault]
        scores, costs = pretend_scores(Architecture.from_dict(job.architecture))
        return [
            Outcome(job.trial, scores=scores, costs=costs, seconds=2.0, weights=b"weights of it")
        ]

    def close(self):
        self.closed = True


@pytest.fixture
def pretend():
    """The class of the pretend engine."""
    return PretendExecutor


@pytest.fixture
def experiment():
    def make(**settings):
        return make_experiment(
            {
                "space": "flexibert-micro",
                "policy": "random",
                "objectives": "glue:max,parameters:min",
                "trials": 8,
                "execution": {"engine": "inline"},
                "recipe": {"preset": "glue-mini"},
                **settings,
            }
        )

    return make


@pytest.fixture
def begin(tmp_path, experiment):
    """Return a function that makes a run and a search in it."""

    def make(*, name="run", executor=None, space=None, watch=None, **settings):
        plan = experiment(**settings)
        run = create_run(tmp_path / name, plan, plan.objectives)
        policy = run_policy(plan, None)
        if space is not None:
            policy = make_policy(plan.policy, space, dict(plan.objectives), seed=plan.seed)
        return Search(run, plan, InlineProposer(policy), executor or PretendExecutor(), watch)

    return make


@pytest.fixture
def nas(monkeypatch, capsys, tmp_path):
    """Return a function that runs a command line in an empty directory: (code, out, err)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nas", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


@pytest.fixture
def searched(begin, pretend):
    """Return a function that makes a finished run and returns its directory."""

    def make(name="run", **settings):
        faults = {2: Outcome(2, seconds=1.0, cause="nan", error="NaN at step 7")}
        search = begin(name=name, executor=pretend(faults=faults), **settings)
        search.run_until_done()
        search.run.close()
        return search.run.directory

    return make
