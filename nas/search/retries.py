"""What to do about a trial that ended without a result: try again, differently, or give it up.

A trial that its worker or node left in the lurch is never blamed for it; one that ran out of memory
or into NaN gets another chance with other settings, and one whose limit was only predicted gets
twice as long; a bug would only repeat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.execution import BLAMELESS, Outcome

# An out-of-memory trial is retried alone on its device, then in so many parts a batch at most.
MOST_MICRO_BATCHES = 8
# A trial that has taken its worker along so often, while others finished or the node was well each
# time, is what kills workers.
LOSSES_OF_ONE = 5


@dataclass(frozen=True)
class Verdict:
    """What becomes of a trial.

    Attributes:
        retry: Whether it goes back to the queue.
        adjusted: What the next attempt changes: "alone", "micro_batches", "learning_rate_scale",
            "deadline_scale".
    """

    retry: bool
    adjusted: dict[str, Any] = field(default_factory=dict)


def judge(
    history: Sequence[Mapping[str, Any]], adjusted: Mapping[str, Any], *, retry_nan: bool
) -> Verdict:
    """Decide from what is recorded alone, so that a replay decides alike.

    Args:
        history: How the attempts so far ended, as `attempt_entry` describes them.
        adjusted: What the last attempt had changed already.
        retry_nan: Whether NaN deserves a second attempt at half the learning rate.
    """
    cause, same = history[-1]["cause"], dict(adjusted)
    if cause in BLAMELESS:
        lost = [entry for entry in history if entry["cause"] == "lost"]
        others = bool(lost) and history[-1]["done"] > lost[0]["done"]
        well = all(entry.get("node_answers", False) for entry in lost)
        guilty = cause == "lost" and (others or well) and len(lost) >= LOSSES_OF_ONE
        return Verdict(retry=not guilty, adjusted=same)
    parts = 2 * same.get("micro_batches", 1)
    if cause == "out-of-memory" and not same.get("alone"):
        change: dict[str, Any] = {"alone": True}
    elif cause == "out-of-memory" and parts <= MOST_MICRO_BATCHES:
        change = {"micro_batches": parts}
    elif (
        cause == "time-out"
        and history[-1].get("limited_by") == "predicted"
        and ("deadline_scale" not in same)
    ):
        change = {"deadline_scale": 2.0}
    elif cause == "nan" and retry_nan and "learning_rate_scale" not in same:
        change = {"learning_rate_scale": 0.5}
    else:
        return Verdict(retry=False, adjusted=same)
    return Verdict(retry=True, adjusted={**same, **change})


def attempt_entry(
    outcome: Outcome, attempt: int, done: int, limited_by: str | None = None
) -> dict[str, Any]:
    """Return how an attempt ended, for the record's column `history`.

    Args:
        outcome: What came back.
        attempt: Its number, from 1.
        done: How many trials of the search had finished by then.
        limited_by: What its limit followed from; see `nas.search.deadlines`.
    """
    entry = {
        "attempt": attempt,
        "cause": outcome.cause,
        "error": outcome.error,
        "seconds": outcome.seconds,
        "node": outcome.node,
        "device": outcome.device,
        "logs": outcome.logs,
        "done": done,
    }
    if outcome.cause == "lost" and outcome.node_answers:
        entry["node_answers"] = True
    return {**entry, "limited_by": limited_by} if outcome.cause == "time-out" else entry
