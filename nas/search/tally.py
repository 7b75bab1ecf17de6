"""Running counts of a search, so that no step has to read the record again."""

from bisect import insort
from collections.abc import Mapping
from statistics import median
from typing import Any

from nas.evaluation.measured import values_of
from nas.runs.journal import STATUSES
from surrogates.domination.running import Front
from surrogates.objectives import oriented, sign_of


class Tally:
    """Counts trials by status, time and money spent, and progress.

    Args:
        objectives: Column to direction.
    """

    def __init__(self, objectives: Mapping[str, str]):
        self._objectives = objectives
        self.counts = dict.fromkeys(STATUSES, 0)
        self.asked = self.promotions = 0
        self.trial_seconds = self.gpu_seconds = 0.0
        self.front, self.highest = Front(), 0.0
        self.without_gain = 0
        self.first_errors: set[str] = set()
        self._seconds: dict[float, list[float]] = {}

    def entered(self, record: Mapping[str, Any]) -> None:
        """Count a trial that the record holds, whatever its state."""
        self.counts[record["status"]] += 1
        self.asked += record["continues"] is None
        self.promotions += record["continues"] is not None

    def moved(self, before: str, after: str) -> None:
        """Count a change of status."""
        self.counts[before] -= 1
        self.counts[after] += 1

    def spent(self, seconds: float | None, gpu_seconds: float | None) -> None:
        """Count the time of an attempt, however it ended."""
        self.trial_seconds += seconds or 0.0
        self.gpu_seconds += gpu_seconds or 0.0

    def ended(self, record: Mapping[str, Any]) -> None:
        """Learn from a trial that is done or failed."""
        if record["status"] == "failed":
            self.first_errors.add(_shape(record["error"]))
            return
        insort(self._seconds.setdefault(record["fidelity"], []), record["seconds"] or 0.0)
        if record["fidelity"] > self.highest:  # only the highest fidelity counts
            self.highest, self.front = record["fidelity"], Front()
        if record["fidelity"] == self.highest:
            gained = self.front.add(self.oriented(record))
            self.without_gain = 0 if gained else self.without_gain + 1

    def oriented(self, record: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the objectives of a finished trial in their order, larger is better."""
        return oriented(values_of(record, seconds=True), self._objectives)

    @property
    def best(self) -> float | None:
        """The best value of the first objective in its own direction, or None before any."""
        if not self.front.rows:
            return None
        first = next(iter(self._objectives.values()))
        return sign_of(first) * max(row[0] for row in self.front.rows)

    def usual_seconds(self, fidelity: float) -> float:
        """Return the median seconds of a trial at `fidelity`, or of the nearest one known; 0."""
        if not self._seconds:
            return 0.0
        nearest = min(self._seconds, key=lambda known: abs(known - fidelity))
        return median(self._seconds[nearest])


def _shape(error: str | None) -> str:
    """Return an error without its numbers: the same fault at step 7 and at step 9 is one fault."""
    return "".join(c for c in error or "" if not c.isdigit())
