"""The search loop: ask, train, tell, until a stop rule holds.

A free worker is answered at once; trials in flight are known to the policy. Every decision is a
committed row of the record before it acts, so that a killed search continues with `resume`.
"""

import hashlib
import math
import os
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.config import Experiment
from nas.execution import Executor, Job, Outcome
from nas.runs import Run
from search_spaces import Architecture
from surrogates.policy import Policy

# A worker that vanishes takes its trial back to the queue this often before it counts as failed.
_LOST_RETRIES = 2
# This many failures with one message, and no success, mean that the search itself is at fault.
_FAILING_ALIKE = 3
_POLL_SECONDS = 1.0

# Why a search ended -> exit code of the command line.
EXIT_CODES = {"trials": 0, "exhausted": 0, "time": 3, "interrupted": 4, "failing": 5}


@dataclass(frozen=True)
class Progress:
    """What a person watching wants to know.

    Attributes:
        counts: Trials by status.
        planned: Trials that the experiment wants.
        best: The best value of the first objective, or None before the first success.
        front: Size of the Pareto front so far.
        elapsed: Seconds spent on this run, earlier sessions included.
        left: Estimated seconds until the end, or None before the first finished trial.
        latest: The trial that just ended, as a row of the record, or None.
    """

    counts: dict[str, int]
    planned: int
    best: float | None
    front: int
    elapsed: float
    left: float | None
    latest: dict[str, Any] | None = None


@dataclass
class _Clock:
    """Seconds spent on the run over all sessions."""

    before: float
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        return self.before + time.monotonic() - self.started


def trial_seed(seed: int, digest: str, fidelity: float) -> int:
    """Return a trial's seed: the same on whatever worker, in whatever order.

    It depends on the run's seed, the architecture's hash and the fidelity alone.
    """
    text = f"{seed}/{digest}/{fidelity:g}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def replay(run: Run, policy: Policy) -> None:
    """Bring `policy` to where the record ends, without fitting anything."""
    records = {record["trial"]: record for record in run.journal.trials()}
    events: list[dict[str, Any]] = []
    for kind, trial, _ in run.journal.events():
        record = records[trial]
        if kind == "ask":
            events.append({"ask": record["architecture"], "why": record["proposal"]})
        elif kind == "tell" and record["status"] == "done":
            values = {**record["scores"], **record["costs"]}
            cost = record["seconds"]
            events.append({"tell": record["architecture"], "values": values, "cost": cost})
        elif kind == "tell":
            events.append({"tell": record["architecture"], "error": record["cause"] or "error"})
    policy.restore(events)


class Search:
    """Runs an experiment to its end.

    Args:
        run: Where everything is recorded; locked by this process.
        experiment: Says how many trials, how long, and from which seed.
        policy: Proposes; already brought up to date with the run.
        executor: Trains.
        watch: Called with a `Progress` when something changed and about once a second.
    """

    def __init__(
        self,
        run: Run,
        experiment: Experiment,
        policy: Policy,
        executor: Executor,
        watch: Callable[[Progress], None] | None = None,
    ):
        self.run, self.experiment, self.policy, self.executor = run, experiment, policy, executor
        self._watch = watch or (lambda progress: None)
        self._in_flight: dict[int, dict[str, Any]] = {}
        self._waiting: deque[dict[str, Any]] = deque()
        self._exhausted = False

    def run_until_done(self) -> str:
        """Search until a stop rule holds; return which: a key of `EXIT_CODES`."""
        reason = "crashed"
        try:
            reason = self._loop()
            return reason
        finally:
            self.run.journal.set_meta("ended", reason)

    def _loop(self) -> str:
        journal = self.run.journal
        clock = _Clock(journal.elapsed())
        session = journal.begin_session()
        journal.set_meta("ended", "")
        for record in journal.trials():
            # "running" here was left by a driver that is gone: its result never arrived.
            if record["status"] == "running":
                journal.requeued(record["trial"], "the driver ended")
            if record["status"] in ("queued", "running"):
                self._waiting.append(record)
        self._report(clock, None)
        try:
            while True:
                reason = self._stop_reason(clock)
                while reason is None and len(self._in_flight) < self.executor.capacity:
                    if not self._start_next():
                        break
                reason = self._stop_reason(clock)
                if reason is not None and not self._in_flight:
                    return reason
                outcomes = self.executor.wait(_POLL_SECONDS)
                for outcome in outcomes:
                    self._finish(outcome, clock)
                journal.seen(session)
                if not outcomes:
                    self._report(clock, None)
        except KeyboardInterrupt:
            for trial in self._in_flight:
                journal.requeued(trial, "interrupted")
            return "interrupted"
        finally:
            journal.seen(session)

    def _stop_reason(self, clock: _Clock) -> str | None:
        """Return why no further trial may start, or None."""
        records = self.run.journal.trials()
        done = [r for r in records if r["status"] == "done"]
        failed = [r for r in records if r["status"] == "failed"]
        if not done and len(failed) >= _FAILING_ALIKE and len({r["error"] for r in failed}) == 1:
            return "failing"
        if len(done) + len(failed) >= self.experiment.trials:
            return "trials"
        if len(records) >= self.experiment.trials and not self._waiting:
            return "trials"
        if self.experiment.time is not None and not self._fits(clock, done):
            return "time"
        if self._exhausted and not self._waiting:
            return "exhausted"
        return None

    def _fits(self, clock: _Clock, done: list[dict[str, Any]]) -> bool:
        """Whether a trial of usual length started now would end within the budget."""
        usual = statistics.median(r["seconds"] for r in done) if done else 0.0
        return clock.elapsed() + usual <= self.experiment.time

    def _start_next(self) -> bool:
        """Give a free worker a waiting or a new trial; return whether there was one."""
        record = self._waiting.popleft() if self._waiting else self._ask()
        if record is None:
            return False
        self.run.journal.started(record["trial"])
        self._in_flight[record["trial"]] = record
        self.executor.submit(
            Job(
                trial=record["trial"],
                architecture=record["architecture"],
                seed=record["seed"],
                timeout=self.experiment.execution.trial_timeout,
            )
        )
        return True

    def _ask(self) -> dict[str, Any] | None:
        if len(self.run.journal.trials()) >= self.experiment.trials:
            return None
        proposals = self.policy.ask(1)
        if not proposals:
            self._exhausted = True
            return None
        (architecture,) = proposals
        seed = trial_seed(self.experiment.seed, architecture.hash, 1.0)
        trial = self.run.journal.asked(
            architecture.to_dict(),
            architecture.hash,
            seed=seed,
            proposal=self.policy.explain(architecture) or {},
        )
        return {
            "trial": trial,
            "hash": architecture.hash,
            "architecture": architecture.to_dict(),
            "seed": seed,
            "attempts": 0,
        }

    def _finish(self, outcome: Outcome, clock: _Clock) -> None:
        """Record an outcome, then let the policy learn from it."""
        record = self._in_flight.pop(outcome.trial)
        record["attempts"] = record.get("attempts", 0) + 1
        if outcome.cause == "lost" and record["attempts"] <= _LOST_RETRIES:
            self.run.journal.requeued(outcome.trial, outcome.error or "lost")
            self._waiting.append(record)
            return
        values = {**outcome.scores, **outcome.costs}
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        cause, error = outcome.cause, outcome.error
        if cause is None and broken:
            cause, error = "nan", f"The trial returned {broken[0]} = {values[broken[0]]}."
        architecture = Architecture.from_dict(record["architecture"])
        where = {"node": outcome.node, "device": outcome.device, "seconds": outcome.seconds}
        if cause is None:
            self._keep_weights(record["hash"], outcome.weights)
            self.run.journal.finished(
                outcome.trial,
                "done",
                scores=outcome.scores,
                costs=outcome.costs,
                details=outcome.details,
                **where,
            )
            self.policy.tell(architecture, values, cost=outcome.seconds)
        else:
            self.run.journal.finished(
                outcome.trial,
                "failed",
                cause=cause,
                error=error,
                traceback=outcome.traceback,
                **where,
            )
            self.policy.tell(architecture, error=cause)
        self._report(clock, outcome.trial)

    def _keep_weights(self, digest: str, weights: bytes | None) -> None:
        if weights is not None:
            write_whole(self.run.weights / f"{digest}.safetensors", weights)

    def _report(self, clock: _Clock, latest: int | None) -> None:
        from nas.pareto import non_dominated_rows

        records = self.run.journal.trials()
        done = [r for r in records if r["status"] == "done"]
        objectives = self.run.objectives
        rows = [[{**r["scores"], **r["costs"]}[name] for name in objectives] for r in done]
        sign = 1.0 if next(iter(objectives.values())) == "max" else -1.0
        best = max((sign * row[0] for row in rows), default=None)
        seconds = [r["seconds"] for r in done]
        remaining = self.experiment.trials - sum(r["status"] in ("done", "failed") for r in records)
        left = None
        if seconds:
            left = statistics.mean(seconds) * max(0, remaining) / self.executor.capacity
            if self.experiment.time is not None:
                left = min(left, max(0.0, self.experiment.time - clock.elapsed()))
        self._watch(
            Progress(
                counts=self.run.journal.counts(),
                planned=self.experiment.trials,
                best=None if best is None else sign * best,
                front=len(non_dominated_rows(rows, list(objectives.values()))),
                elapsed=clock.elapsed(),
                left=left,
                latest=next((r for r in records if r["trial"] == latest), None),
            )
        )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either absent or complete, whatever happens meanwhile."""
    temporary = path.with_name(path.name + ".partial")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
