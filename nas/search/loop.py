"""The search loop: ask, train, tell, until a stop rule holds.

A free worker is answered at once, from proposals prepared while the others train; trials in flight
are known to the policy. Every decision is a committed row of the record before it acts, so that a
killed search continues with `resume` and can be repeated with `replay`. Each step is one commit.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nas.config import Experiment, parse_constraint
from nas.execution import BLAMELESS, EngineGone, Executor, Outcome
from nas.execution.disk_room import DiskRoom, out_of_space
from nas.execution.interrupts import Interrupts
from nas.execution.outcomes import checked
from nas.execution.sweeping import Sweeper
from nas.proposals.proposer import Proposer
from nas.runs.directory import Run
from nas.runs.policy_events import told
from nas.runs.rows import readable
from nas.runs.storage import Storage
from nas.search.budgets import settled, spent
from nas.search.lookahead import Ahead
from nas.search.progress import Clock, Progress, progress
from nas.search.trial_book import TrialBook
from search_spaces.errors import RunError, quoted

_POLL_SECONDS = 1.0
# How long to look at the workers while one of them waits for the policy.
_GLANCE_SECONDS = 0.01
# Losses in a row, without a single result between them, after which nothing will ever finish. Where
# the node was well, a trial counts once, when it is given up.
_LOSSES_IN_A_ROW = 10

Actions = list[Callable[[], None]]


class Search:
    """Runs an experiment to its end.

    Args:
        run: Where everything is recorded; locked by this process.
        experiment: Says how many trials, how long, and from which seed.
        proposer: Holds the policy; brought up to date with the run here.
        executor: Trains.
        watch: Called with a `Progress` when something changed and about once a second.
        storage: Where the trials' files live; None where only the run's directory holds any.
    """

    def __init__(
        self,
        run: Run,
        experiment: Experiment,
        proposer: Proposer,
        executor: Executor,
        watch: Callable[[Progress], None] | None = None,
        storage: Storage | None = None,
    ):
        self.run, self.experiment = run, experiment
        self.proposer, self.executor = proposer, executor
        self._watch = watch or (lambda progress: None)
        self._journal = run.journal
        self._gpus = float(getattr(executor, "gpus_per_trial", 0.0))
        constrained = [parse_constraint(text)[0] for text in experiment.constraints]
        self._needed = tuple(dict.fromkeys((*experiment.objectives, *constrained)))
        self._book = TrialBook(run, experiment, self._gpus)
        self._ahead = Ahead(executor.capacity, concurrent=proposer.concurrent)
        self._request: int | None = None  # its event, until it is answered
        self._pending: list[int] = []  # trials in flight when it was made
        self._exhausted = False
        folders = [run.directory.resolve(), *([storage.folder] if storage else [])]
        self._said: str | None = None  # what people were last told about it
        self._room = DiskRoom([folder for folder in folders if folder is not None])
        self._sweeper = Sweeper(storage, run.directory)
        self._losses = 0
        self._lacking: str | None = None  # what ended the search, where the machine did
        self._capacity = 0  # as recorded last

    def run_until_done(self) -> str:
        """Search until a stop rule holds; return which: a key of `nas.runs.endings.ENDINGS`.

        Raises:
            RunError: The process that proposes, or the disk of the record, failed for good.
        """
        try:
            with Interrupts(self._say_draining) as self._interrupts:
                reason = self._loop()
            with self._journal.together():
                self._journal.set_meta("ended", reason)
                self._journal.set_meta("lacking", self._lacking or self._room.lacking or "")
                self._journal.decided("end", reason=reason)
            return reason
        except (sqlite3.Error, OSError) as error:
            # the record holds what was committed, and takes no more
            if out_of_space(error, self.run.directory):
                return "no-space"
            if isinstance(error, OSError):
                raise
            raise RunError(
                f"The record of {str(self.run.directory)!r} could not be written: {error}. "
                "Nothing that it holds is lost. Make room on the disk and continue with: "
                f"nas resume {quoted(self.run.directory)}"
            ) from None
        finally:
            self.proposer.close()
            self._sweeper.close()

    def _loop(self) -> str:
        journal, book = self._journal, self._book
        self._session = journal.begin_session()
        self._clock = Clock(journal.elapsed())
        self._alive_at = 0.0
        with journal.together():
            journal.set_meta("ended", "")
            with readable(self.run.where):
                book.recover()
        self._sweeper.remove(book.expendable())
        self._request = self.proposer.restore(self.run.directory)
        self._pending = [record["trial"] for record in book.waiting]
        self._report(None)
        outcomes: list[Outcome] = []
        try:
            while True:
                actions: Actions = []
                with journal.together():
                    ended = [self._finish(outcome, actions) for outcome in outcomes]
                    self._take_answer()
                    reason = self._step(actions)
                    self._note_alive()
                for act in actions:  # only now: everything that these rest on is committed
                    act()
                for record in ended:
                    self._report(record)
                if reason is not None and not book.in_flight:
                    return reason
                outcomes = self._wait()
        except KeyboardInterrupt:
            with journal.together():
                for trial in journal.running():
                    journal.requeued(trial, "interrupted")
            return "interrupted"
        except EngineGone as gone:
            self._lacking = str(gone)
            with journal.together():
                for trial in journal.running():
                    journal.requeued(trial, self._lacking)
            return "engine-gone"
        finally:
            journal.seen(self._session)

    # What is decided in a step is committed before any of its actions happens.

    def _step(self, actions: Actions) -> str | None:
        """Give free workers work and ask for more; return why nothing further may start."""
        self._note_capacity()
        reason = self._stop_reason()
        while reason is None and len(self._book.in_flight) < self.executor.capacity:
            if not self._room.has_room() or not self._start_next(actions):
                break
            reason = self._stop_reason()
        if reason is None:
            self._ask_ahead(actions)
        return reason

    def _stop_reason(self) -> str | None:
        """Return why no further trial may start, or None."""
        book, tally = self._book, self._book.tally
        if self._interrupts.asked:
            return "interrupted"
        if self._room.given_up:
            return "no-space"
        if self._losses >= max(_LOSSES_IN_A_ROW, 3 * self.executor.capacity):
            return "lost"
        reason = settled(self.experiment, tally)
        if reason is not None:
            return reason
        if self._all_asked and not book.waiting and not book.in_flight and not self._promotion():
            return "trials" if tally.asked >= self.experiment.trials else "exhausted"
        return spent(
            self.experiment,
            tally,
            elapsed=self._clock.elapsed(),
            fidelity=book.waiting[0]["fidelity"] if book.waiting else 1.0,
            gpus=self._gpus,
            capacity=self.executor.capacity,
        )

    @property
    def _all_asked(self) -> bool:
        none_coming = self._exhausted and self._request is None
        return none_coming or self._book.tally.asked >= self.experiment.trials

    def _promotion(self) -> tuple[int, float] | None:
        book = self._book
        return book.promotion(last=self._all_asked and not book.waiting and not book.in_flight)

    def _start_next(self, actions: Actions) -> bool:
        """Give a free worker a waiting or a promoted trial; return whether there was one."""
        book = self._book
        if not (book.waiting and book.waiting[0]["attempts"]):
            promotion = self._promotion()
            if promotion is not None:
                book.promote(*promotion)
        if not book.waiting:
            return False
        job = book.start()
        actions.append(lambda: self.executor.submit(job))
        return True

    def _ask_ahead(self, actions: Actions) -> None:
        """Ask for what free workers need now and others will need soon, one request at a time."""
        if self._request is not None or self._all_asked:
            return
        book = self._book
        n = self._ahead.request(
            book.tally.counts["done"],
            free=self.executor.capacity - len(book.in_flight),
            ready=len(book.waiting),
        )
        n = min(n, self.experiment.trials - book.tally.asked)
        if n < 1:
            return
        self._pending = [*book.in_flight, *(record["trial"] for record in book.waiting)]
        number = self._request = self._journal.requested(n)
        actions.append(lambda: self.proposer.request(number, n))

    def _take_answer(self) -> None:
        """Record what the policy proposed, if it has answered."""
        answer = self.proposer.answer() if self._request is not None else None
        if answer is None:
            return
        self._request = None
        starved = not self._book.waiting and len(self._book.in_flight) < self.executor.capacity
        self._ahead.answered(answer.seconds, starved=starved)
        if not answer.proposals:
            self._exhausted = True
            self._journal.exhausted(answer.request)
        pending = list(self._pending)
        for architecture, digest, why in answer.proposals:
            why = {**why, "seconds": answer.seconds}
            trial = self._book.enter(architecture, digest, why, answer.request, list(pending))
            pending.append(trial)

    # What comes back.

    def _wait(self) -> list[Outcome]:
        """Wait until a worker or the policy has something."""
        busy = len(self._book.in_flight)
        if self._room.has_room():
            self._said = None
        else:
            said, self._said = self._said, self._room.lacking
            self._report(None, note=None if said == self._said else f"Paused: {self._said}")
            if not busy:
                time.sleep(_POLL_SECONDS)
                return []
        starved = self._request is not None and busy < self.executor.capacity
        if starved and self.proposer.ready(0.0 if busy else _POLL_SECONDS):
            return []
        outcomes = self.executor.wait(_GLANCE_SECONDS if starved else _POLL_SECONDS)
        if not outcomes and not starved:
            self._report(None)
        return outcomes

    def _finish(self, outcome: Outcome, actions: Actions) -> dict[str, Any]:
        """Record an outcome, and have the policy told if it is the trial's last."""
        self._ahead.returned(time.monotonic())
        outcome = checked(outcome, self._needed)
        if outcome.cause is None:
            try:
                self._book.keep_files(outcome)
            except OSError as error:
                if not out_of_space(error):
                    raise
                outcome = replace(outcome, cause="no-space", error=str(error))
        if outcome.cause == "no-space":
            self._room.ran_out(outcome.error)
        else:
            self._room.wrote()
        record = self._book.finish(outcome)
        if outcome.cause not in BLAMELESS:
            self._losses = 0
        elif outcome.cause != "no-space":
            self._losses += not outcome.node_answers or record["status"] == "failed"
        if record["status"] != "queued":
            event, unneeded = told(record), self._book.expendable()
            actions.append(lambda: self.proposer.tell(event))
            actions.append(lambda: self._sweeper.remove(unneeded))
        return record

    # Who watches.

    def _note_alive(self) -> None:
        now = time.monotonic()
        if now - self._alive_at >= _POLL_SECONDS:
            self._alive_at = now
            self._journal.seen(self._session)

    def _note_capacity(self) -> None:
        """Record how many workers there are, when nodes have joined or left."""
        before, self._capacity = self._capacity, self.executor.capacity
        if self._capacity == before:
            return
        self._ahead.capacity = self._capacity
        self._journal.decided("capacity", workers=self._capacity)
        if before:
            self._report(None, note=f"Now {self._capacity} trials at once instead of {before}")

    def _say_draining(self) -> None:
        self._report(None, note="Stopping: waiting for the trials in flight. Ctrl-C again: at once")

    def _report(self, latest: dict[str, Any] | None, note: str | None = None) -> None:
        capacity = self.executor.capacity
        self._watch(
            progress(self.experiment, self._book.tally, self._clock, capacity, latest, note)
        )
