"""The clock of a trial: its deadline, and how far it has come."""

import time
from collections.abc import Callable

from search_spaces.errors import TrialError

StageCallback = Callable[[str, float], None]

# Reports are for people watching; more of them would only cost time.
SECONDS_BETWEEN_REPORTS = 0.5


class Watch:
    """Stops a trial that runs too long and reports its progress.

    Args:
        seconds: Time from now on that the trial may take; None for no limit.
        progress: Called with the stage ("pretrain", "cola", ...) and the share of it done, at the
            start and the end of each stage and at most twice a second between.
    """

    def __init__(self, seconds: float | None = None, progress: StageCallback | None = None):
        self._started = time.monotonic()
        self._seconds = seconds
        self._progress = progress
        self._last_report = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the trial began."""
        return time.monotonic() - self._started

    def check(self, stage: str, done: float) -> None:
        """Note that the share `done` of `stage` is finished.

        Raises:
            TrialError: The time is up; its cause is "time-out".
        """
        now = time.monotonic()
        if self._seconds is not None and now - self._started > self._seconds:
            raise TrialError(
                f"The trial ran longer than its limit of {self._seconds:g} s: {done:.0%} of "
                f"{stage} was done. Raise the limit or lower the budgets of the recipe.",
                cause="time-out",
            )
        if self._progress is None:
            return
        if done in (0.0, 1.0) or now - self._last_report >= SECONDS_BETWEEN_REPORTS:
            self._last_report = now
            self._progress(stage, done)
