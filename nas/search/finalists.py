"""The last part of a search: the best of the front trained again, beside plain encoders.

The score that a search selects by is the highest of many noisy ones. What its best one is worth is
the mean over seeds that took no part in the choice, and whether that was worth a search shows what
plain encoders of its size reach with as many seeds.
"""

import statistics
from collections.abc import Callable

from nas.execution import EngineGone
from nas.runs.confirmations import Confirmations
from nas.runs.directory import Run
from nas.runs.endings import ENDINGS
from nas.search.progress import Clock
from nas.single.confirm import Pace, confirm


class WithinBudget(Pace):
    """Lets trainings start that will end within the run's budget of time.

    Args:
        run: Driven by this process. What passes is counted as spent on it.
    """

    def __init__(self, run: Run):
        self.ran_out = False
        self._run, self._budget = run, run.experiment.time
        self._journal = run.journal
        self._clock = Clock(run.journal.elapsed())
        self._session = run.journal.begin_session()
        self._seconds = {r["hash"]: r["seconds"] or 0.0 for r in run.journal.each_trial()}

    def alive(self) -> None:
        self._journal.seen(self._session)

    def allows(self, digest: str) -> bool:
        if self._budget is None:
            return True
        longer = self._run.experiment.finalist_longer
        rows = Confirmations(self._run.directory, longer).trainings()
        done = [row["seconds"] or 0.0 for row in rows]
        searched = {key: longer * seconds for key, seconds in self._seconds.items()}
        usual = statistics.median(done or list(searched.values()) or [0.0])
        seconds = searched.get(digest, usual)
        self.ran_out = self._clock.elapsed() + seconds > self._budget
        return not self.ran_out


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
        reason = "time" if pace.ran_out else reason
    except KeyboardInterrupt:
        reason = "interrupted"
    except EngineGone as gone:
        journal.set_meta("lacking", str(gone))
        reason = "engine-gone"
    finally:
        pace.alive()
        journal.set_meta("ended", reason)
    return reason
