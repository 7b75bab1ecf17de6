"""The last part of a search: the best of the front trained again, beside plain encoders.

The score that a search selects by is the highest of many noisy ones. What its best one is worth is
the mean over seeds that took no part in the choice, and whether that was worth a search shows what
plain encoders of its size reach with as many seeds.
"""

import statistics
from collections.abc import Callable
from typing import Any

from nas.execution import EngineGone
from nas.runs.confirmations import Confirmations, confirmations_spent
from nas.runs.directory import Run
from nas.runs.endings import ENDINGS
from nas.search.progress import Clock
from nas.single.confirm import Pace, confirm


class WithinBudget(Pace):
    """Lets trainings start that will end within the run's budgets of time, GPU-hours and money.

    Args:
        run: Driven by this process. What passes is counted as spent on it.

    Attributes:
        ran_out: The budget that did not suffice, under its name in the experiment; None: all did.
    """

    def __init__(self, run: Run):
        self.ran_out: str | None = None
        self._run, self._experiment = run, run.experiment
        self._journal = run.journal
        self._clock = Clock(run.journal.elapsed())
        self._session = run.journal.begin_session()
        records = run.journal.trials()
        longer = self._experiment.finalist_longer
        self._seconds = {r["hash"]: longer * (r["seconds"] or 0.0) for r in records}
        self._searched = sum(r["spent_seconds"] or r["seconds"] or 0.0 for r in records)
        self._searched_gpu = sum(r["gpu_seconds"] or 0.0 for r in records)
        self._started = 0
        self._ended_before = len(self._trainings())

    def alive(self) -> None:
        self._journal.seen(self._session)

    def allows(self, digest: str) -> bool:
        rows = self._trainings()
        done = [row["seconds"] or 0.0 for row in rows]
        usual = statistics.median(done or list(self._seconds.values()) or [0.0])
        seconds = self._seconds.get(digest, usual)
        in_flight = self._started - (len(rows) - self._ended_before)
        self.ran_out = self._short_of(seconds, seconds + max(0, in_flight) * usual)
        self._started += self.ran_out is None
        return self.ran_out is None

    def _trainings(self) -> list[dict[str, Any]]:
        return Confirmations(self._run.directory, self._experiment.finalist_longer).trainings()

    def _short_of(self, seconds: float, coming: float) -> str | None:
        """Return the budget that a training of so many seconds overruns.

        Args:
            seconds: Of this training.
            coming: Of this one and those that run.
        """
        budget = self._experiment
        if budget.time is not None and self._clock.elapsed() + seconds > budget.time:
            return "time"
        trained, on_gpu = confirmations_spent(self._run.directory)
        if budget.gpu_hours is not None:
            # finalists reserve what trials reserved
            share = self._searched_gpu / self._searched if self._searched else 0.0
            if self._searched_gpu + on_gpu + coming * share > 3600 * budget.gpu_hours:
                return "gpu_hours"
        if budget.cost is not None:
            price = (budget.price_per_hour or 0.0) / 3600
            if (self._searched + trained + coming) * price > budget.cost:
                return "cost"
        return None


def with_finalists(run: Run, reason: str, say: Callable[[str], None] = lambda line: None) -> str:
    """Train a run's finalists, if it is to have any; return why the whole of it ended.

    What is trained already is not repeated. After an interruption, or where the time was over
    before, `nas resume` goes on here.

    Args:
        run: Driven by this process, its search just over.
        reason: Why the search ended.
        say: Called with a line for each training.
    """
    experiment, journal = run.experiment, run.journal
    finished = run.finished()
    if not experiment.finalists or not ENDINGS[reason].complete:
        return reason
    if finished.empty or run.pareto().empty:
        return reason
    journal.set_meta("ended", "")  # a driver is at work
    pace = WithinBudget(run)
    say(f"Training the best {experiment.finalists} again with fresh seeds, and plain encoders")
    try:
        confirm(
            run,
            top=experiment.finalists,
            seeds=experiment.finalist_seeds,
            say=lambda line: say(f"  {line}"),
            baselines=True,
            measured=False,
            pace=pace,
            longer=experiment.finalist_longer,
        )
        reason = pace.ran_out or reason
    except KeyboardInterrupt:
        reason = "interrupted"
    except EngineGone as gone:
        journal.set_meta("lacking", str(gone))
        reason = "engine-gone"
    finally:
        pace.alive()
        journal.set_meta("ended", reason)
    return reason
