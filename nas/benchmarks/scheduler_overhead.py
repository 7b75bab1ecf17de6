"""What a search costs beside the trials: seconds per trial, memory of the driver, resuming."""

import io
import os
import resource
import tempfile
import time
from collections import deque
from contextlib import redirect_stdout, suppress
from pathlib import Path

import psutil

from nas.benchmarks.trivial_trial import measure
from nas.config import Experiment, make_experiment
from nas.execution import Executor, Job, Outcome
from nas.proposals.building import run_policy
from nas.proposals.process import ProposerProcess
from nas.proposals.proposer import InlineProposer
from nas.runs.directory import Run, create_run, open_run
from nas.search.driver import start
from nas.search.loop import Search
from nas.search.progress import Progress
from search_spaces import Architecture


def trivial_experiment(policy: str, trials: int, engine: str = "ray") -> Experiment:
    """Return an experiment whose trials take no time, two at once."""
    return make_experiment(
        {
            "policy": policy,
            "space": "flexibert-small",
            "objectives": "glue:max,parameters:min",
            "trials": trials,
            "execution": {
                "engine": engine,
                "max_concurrent": 2,
                "trial_function": "nas.benchmarks.trivial_trial:measure",
            },
        }
    )


def overhead(policy: str, trials: int, repeats: int = 1) -> dict[str, float]:
    """Return the seconds a search with Ray takes per trial, the median of `repeats` searches.

    "seconds_per_trial" counts from the first start to the end; "cpu_per_trial" is what the driver,
    the policy, the workers and Ray's own processes compute, between a tenth and nine tenths.
    """
    found = [_overhead(policy, trials) for _ in range(repeats)]
    median = sorted(found, key=lambda row: row["seconds_per_trial"])[len(found) // 2]
    return {**median, "repeats": repeats}


def _overhead(policy: str, trials: int) -> dict[str, float]:
    marks: list[tuple[int, float]] = []  # trials done, CPU seconds

    def watch(progress: Progress) -> None:
        done = progress.counts["done"]
        if len(marks) < 2 and done >= (0.9 if marks else 0.1) * trials:
            marks.append((done, _cpu_seconds()))

    with tempfile.TemporaryDirectory(prefix="nas-overhead-") as folder:
        experiment = trivial_experiment(policy, trials)
        run, reason = start(experiment, Path(folder) / "run", watch=watch)
        assert reason == "trials", reason
        rows = run.journal.trials()
        run.close()
    seconds = max(r["finished_at"] for r in rows) - min(r["started_at"] for r in rows)
    (first, before), (last, after) = marks
    return {
        "trials": len(rows),
        "seconds_per_trial": seconds / len(rows),
        "cpu_per_trial": (after - before) / max(1, last - first),
    }


def _cpu_seconds() -> float:
    """Return what this process and all that it started have computed so far."""
    found, own = 0.0, psutil.Process()
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):  # ended meanwhile
            times = process.cpu_times()
            found += times.user + times.system
    return found


def tune_overhead(trials: int) -> dict[str, float]:
    """Return the seconds that Ray Tune's own loop takes per trivial trial, random search."""
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    from ray import tune

    from nas.execution.on_ray import start_ray
    from nas.execution.ray_session import end_session

    start_ray(None)
    with tempfile.TemporaryDirectory(prefix="nas-tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(lambda config: {"score": config["x"]}, {"cpu": 1}),
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=2),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        begun = time.perf_counter()
        with redirect_stdout(io.StringIO()):  # a table that says what was asked for
            tuner.fit()
        seconds = time.perf_counter() - begun
    end_session()
    return {"trials": trials, "seconds_per_trial": seconds / trials}


class InstantExecutor(Executor):
    """Answers at once, so that only the driver takes time and memory."""

    def __init__(self) -> None:
        self.capacity, self.where = 2, "nowhere"
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[Outcome]:
        outcomes = []
        while self._jobs:
            job = self._jobs.popleft()
            found = measure(Architecture.from_dict(job.architecture))
            outcomes.append(Outcome(job.trial, **found, seconds=0.0))
        return outcomes

    def close(self) -> None:
        self._jobs.clear()


def memory_and_resume(trials: int) -> dict[str, float]:
    """Return the driver's memory after so many trials, and the seconds to resume such a run.

    The policy is `random`, which keeps what every policy keeps; it counts as the driver's here.
    """
    with tempfile.TemporaryDirectory(prefix="nas-resume-") as folder:
        experiment = trivial_experiment("random", trials, "inline")
        run = create_run(Path(folder) / "run", experiment, experiment.objectives)
        before = _peak_mb()
        policy = InlineProposer(run_policy(experiment, None))
        begun = time.perf_counter()
        Search(run, experiment, policy, InstantExecutor()).run_until_done()
        seconds = time.perf_counter() - begun
        grown = _peak_mb() - before
        size = sum(f.stat().st_size for f in run.directory.glob("run.db*")) / 2**20
        run.close()
        return {
            "trials": trials,
            "driver_mb": grown,
            "record_mb": size,
            "driver_seconds_per_trial": seconds / trials,
            "resume_seconds": _resume(open_run(run.directory, readonly=False)),
        }


def _resume(run: Run) -> float:
    """Return the seconds until a finished run knows again that it is finished."""
    begun = time.perf_counter()
    proposer = ProposerProcess(run.experiment.model_dump(mode="json"))
    reason = Search(run, run.experiment, proposer, InstantExecutor()).run_until_done()
    assert reason == "trials", reason
    run.close()
    return time.perf_counter() - begun


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
