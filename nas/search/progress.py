"""What a person watching a search wants to know."""

import time
from dataclasses import dataclass, field
from typing import Any

from nas.config import Experiment
from nas.search.tally import Tally


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        counts: Trials by status.
        planned: Trials that the experiment wants, promotions so far included.
        best: The best value of the first objective, or None before the first success.
        front: Size of the Pareto front so far.
        elapsed: Seconds spent on this run, earlier sessions included.
        left: Estimated seconds until the end, or None before the first finished trial.
        latest: The trial that just ended, as a row of the record, or None.
        note: Something to say, such as that the search is draining, or None.
    """

    counts: dict[str, int]
    planned: int
    best: float | None
    front: int
    elapsed: float
    left: float | None
    latest: dict[str, Any] | None = None
    note: str | None = None


@dataclass
class Clock:
    """Seconds spent on the run over all sessions."""

    before: float
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Return the seconds up to now."""
        return self.before + time.monotonic() - self.started


def progress(
    experiment: Experiment,
    tally: Tally,
    clock: Clock,
    capacity: int,
    latest: dict[str, Any] | None,
    note: str | None,
) -> Progress:
    """Return how far the search is, from counts alone."""
    planned = experiment.trials + tally.promotions
    ended = tally.counts["done"] + tally.counts["failed"]
    left = None
    if tally.counts["done"]:
        left = tally.trial_seconds / ended * max(0, planned - ended) / capacity
        if experiment.time is not None:
            left = min(left, max(0.0, experiment.time - clock.elapsed()))
    return Progress(
        counts=dict(tally.counts),
        planned=planned,
        best=tally.best,
        front=len(tally.front),
        elapsed=clock.elapsed(),
        left=left,
        latest=latest,
        note=note,
    )
