"""Every trial of a search: recorded first, then counted, queued, and learned from.

All methods write to the record; the search wraps each step into one commit.
"""

import heapq
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nas.config import Experiment
from nas.execution.jobs import Job, Outcome, trial_seed
from nas.fidelity_rules import FIDELITY_RULES
from nas.runs.confirmations import confirmations_spent
from nas.runs.directory import Run
from nas.runs.mistakes import write_mistakes
from nas.runs.storage import weights_name
from nas.search.deadlines import LIMITS, Deadlines, cost_of
from nas.search.kept_weights import KeptWeights
from nas.search.parents import Parents
from nas.search.retries import attempt_entry, judge
from nas.search.tally import Tally
from nas.whole_files import write_whole

_log = logging.getLogger(__name__)


class TrialBook:
    """The trials of a run while a search goes on.

    Args:
        run: Where everything is recorded.
        experiment: Sets the rules.
        gpus: Share of a GPU that a trial reserves.

    Attributes:
        tally: Counts, time, front.
        waiting: Rows of trials to start, the next one first.
        in_flight: Trial to row, of those that run.
    """

    def __init__(self, run: Run, experiment: Experiment, gpus: float):
        self._run, self._journal, self._experiment = run, run.journal, experiment
        self._gpus = gpus
        rule = FIDELITY_RULES[experiment.fidelity]
        self._rule = rule(experiment.fidelities, experiment.reduction, len(run.objectives))
        self._partial = experiment.fidelity != "full"
        self._tasks = dict(zip(experiment.fidelities, experiment.fidelity_tasks, strict=False))
        self._parents = None
        if experiment.inheritance:
            names = ("vocabulary_size", "max_length", "positions")
            options = {k: v for k, v in run.model_options.items() if k in names}
            self._parents = Parents(options)
        most = experiment.execution.keep_weights
        self._kept = KeptWeights(None if most == "all" else most, self._tasks)
        self._deadlines = Deadlines(
            experiment.execution.trial_timeout, cost_of(experiment.recipe, run.model_options)
        )
        self._used_up: list[str] = []  # checkpoints that nobody continues
        self.tally = Tally(run.objectives)
        self.waiting: deque[dict[str, Any]] = deque()
        self.in_flight: dict[int, dict[str, Any]] = {}
        self._below: dict[int, dict[str, Any]] = {}  # finished, may be promoted
        self._slots: list[int] = []  # free, of those that were ever used

    def recover(self) -> None:
        """Take up what the record holds: results in their order, trials to run again."""
        ended: dict[int, dict[str, Any]] = {}
        self.tally.spent(*confirmations_spent(self._run.directory))  # a resume's finalists
        for record in self._journal.each_trial():
            # "running" here was left by a driver that is gone: its result never arrived.
            if record["status"] == "running":
                self._journal.requeued(record["trial"], "the driver ended")
                record["status"] = "queued"
            self.tally.entered(record)
            self.tally.spent(record["spent_seconds"] or record["seconds"], record["gpu_seconds"])
            if record["status"] == "queued":
                self.waiting.append(record)
            elif record["status"] in ("done", "failed"):
                ended[record["trial"]] = record
        for kind, trial, payload in self._journal.events():
            if kind == "ask":
                self._rule.ask(trial)
            elif kind == "promote":
                self._rule.promoted(payload["continues"], trial, payload["fidelity"])
            elif kind == "tell" and trial in ended:
                self._learn(ended.pop(trial))

    def _learn(self, record: dict[str, Any]) -> None:
        """Count a trial that ended; let the rules know of one that finished."""
        self.tally.ended(record)
        if record["status"] != "done" or record["fidelity"] == 1:
            self._used_up.append(f"checkpoints/{record['hash']}")
        if record["status"] != "done":
            return
        values = self.tally.oriented(record)
        self._deadlines.add(record)
        self._rule.told(record["trial"], record["fidelity"], values)
        if self._partial and record["fidelity"] < 1:
            names = ("hash", "architecture", "seed", "proposal")
            self._below[record["trial"]] = {name: record[name] for name in names}
        if self._parents is not None:
            self._parents.add(record)
        for digest in self._kept.add(record, values):
            if self._parents is not None:
                self._parents.drop(digest)

    def enter(
        self, architecture: dict, digest: str, why: dict, request: int, pending: list[int]
    ) -> int:
        """Record one proposal and queue it; return its number."""
        proposal = {**why, "pending": pending}
        if self._parents is not None:
            proposal.update(self._parents.choose(architecture))
        seed, fidelity = (
            trial_seed(self._experiment.seed, digest),
            self._rule.next_fidelity(why.get("fidelity")),
        )
        trial = self._journal.asked(
            architecture, digest, seed=seed, proposal=proposal, fidelity=fidelity, request=request
        )
        self._rule.ask(trial)
        record = {
            "hash": digest, "architecture": architecture, "seed": seed, "proposal": proposal
        }  # fmt: skip
        self._queue(trial, fidelity, None, record, self.waiting.append)
        return trial

    def promotion(self, *, last: bool) -> tuple[int, float] | None:
        """Return which trial goes on at which fidelity; `last` says that nothing else is left."""
        return self._rule.promotion() or (self._rule.last_word() if last else None)

    def promote(self, below: int, fidelity: float) -> None:
        """Record that a trial goes on, and queue it before everything else."""
        low = self._below[below]
        trial = self._journal.promoted(
            below, low["architecture"], low["hash"], seed=low["seed"], fidelity=fidelity,
            proposal=low["proposal"],
        )  # fmt: skip
        self._rule.promoted(below, trial, fidelity)
        self._queue(trial, fidelity, below, low, self.waiting.appendleft)

    def _queue(
        self, trial: int, fidelity: float, continues: int | None, record: dict[str, Any],
        put: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        state = {
            "trial": trial, "fidelity": fidelity, "continues": continues, "status": "queued",
            "attempts": 0, "adjusted": {}, "history": [], "spent_seconds": None,
            "gpu_seconds": None, "scores": {}, "costs": {}, "error": None, "cause": None,
        }  # fmt: skip
        put({**record, **state})
        self.tally.entered(state)

    def start(self) -> Job:
        """Record that the next waiting trial starts; return its job."""
        record = self.waiting.popleft()
        # As many as ran at once so far: nodes may join.
        slot = heapq.heappop(self._slots) if self._slots else len(self.in_flight)
        limit, limited_by = self._deadlines.of(record)
        record["limited_by"] = limited_by
        self._journal.started(record["trial"], slot, limit=limit, limited_by=limited_by)
        self.tally.moved("queued", "running")
        record.update(status="running", worker=slot, attempts=record["attempts"] + 1)
        self.in_flight[record["trial"]] = record
        parent = record["proposal"].get("parent") if self._parents else None
        return Job(
            trial=record["trial"],
            architecture=record["architecture"],
            seed=record["seed"],
            timeout=limit,
            fidelity=record["fidelity"],
            attempt=record["attempts"],
            inherit=self._parents.job(parent) if self._parents else None,
            memory_mb=self._deadlines.memory_mb(record) if self._gpus else None,
            tasks=self._tasks.get(record["fidelity"]),
            **{k: v for k, v in record["adjusted"].items() if k != "deadline_scale"},
        )

    def finish(self, outcome: Outcome) -> dict[str, Any]:
        """Record how an attempt ended, and queue the trial again or count its end.

        Returns:
            The trial's row; its status says which.
        """
        record = self.in_flight.pop(outcome.trial)
        if outcome.cause == "time-out":
            limit = LIMITS[record["limited_by"]]
            if "deadline_scale" in record["adjusted"]:
                limit += ", doubled for this attempt"
            error = f"{outcome.error or ''} (limit: {limit})".strip()
            outcome = replace(outcome, error=error)
        heapq.heappush(self._slots, record["worker"])
        seconds = outcome.seconds or 0.0
        gpus = self._gpus
        if gpus and record["adjusted"].get("alone"):
            gpus = max(1.0, gpus)
        self.tally.spent(seconds, seconds * gpus)
        record["spent_seconds"] = (record["spent_seconds"] or 0.0) + seconds
        record["gpu_seconds"] = (record["gpu_seconds"] or 0.0) + seconds * gpus
        kept = {name: record[name] for name in ("spent_seconds", "gpu_seconds")}
        if outcome.cause is not None:
            done, by = self.tally.counts["done"], record["limited_by"]
            entry = attempt_entry(outcome, record["attempts"], done, by)
            kept["history"] = record["history"] = [*record["history"], entry]
            verdict = judge(
                record["history"], record["adjusted"], retry_nan=self._experiment.retry_nan
            )
            if verdict.retry:
                self._again(record, outcome, adjusted=verdict.adjusted, **kept)
                return record
        self._conclude(record, outcome, kept)
        return record

    def _again(self, record: dict[str, Any], outcome: Outcome, **columns: Any) -> None:
        why = outcome.error or str(outcome.cause)
        self._journal.requeued(record["trial"], why, cause=outcome.cause, **columns)
        record.update(status="queued", cause=outcome.cause, error=why, **columns)
        self.tally.moved("running", "queued")
        # What may have taken its worker along comes after what has not.
        put = self.waiting.append if outcome.cause == "lost" else self.waiting.appendleft
        put(record)

    def _conclude(self, record: dict[str, Any], outcome: Outcome, columns: dict) -> None:
        status = "done" if outcome.cause is None else "failed"
        ended = {"node": outcome.node, "device": outcome.device, "seconds": outcome.seconds}
        if status == "done":
            ended.update(scores=outcome.scores, costs=outcome.costs, details=outcome.details)
        else:
            ended.update(cause=outcome.cause, error=outcome.error, traceback=outcome.traceback)
            ended["logs"] = outcome.logs or None
        self._journal.finished(outcome.trial, status, **ended, **columns)
        record.update(status=status, **ended)
        self.tally.moved("running", status)
        self._learn(record)

    def expendable(self) -> list[str]:
        """Return the names of the files that nobody needs from here on, each once."""
        names, self._used_up = self._used_up, []
        ahead = (*self.waiting, *self.in_flight.values())
        return [*names, *self._kept.expendable({r["proposal"].get("parent") for r in ahead})]

    def keep_files(self, outcome: Outcome) -> None:
        """Store what came with an outcome beside its numbers: weights, and where it is wrong."""
        record = self.in_flight[outcome.trial]
        digest, fidelity = record["hash"], record["fidelity"]
        if outcome.weights is not None:
            write_whole(self._run.directory / weights_name(digest, fidelity), outcome.weights)
        if outcome.mistakes:
            try:
                write_mistakes(self._run.directory, digest, fidelity, outcome.mistakes)
            except OSError as error:  # a report lacks a part, and no search stops for that
                _log.warning("Where trial %d is wrong was not kept: %s", outcome.trial, error)
