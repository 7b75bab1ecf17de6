"""What comes back from a worker, as the record and the policy see it."""

import math
from collections.abc import Iterable
from dataclasses import replace

from nas.execution import Outcome


def checked(outcome: Outcome, needed: Iterable[str]) -> Outcome:
    """Return the outcome, failed if what it measured cannot be used.

    Args:
        outcome: As it came from the worker.
        needed: Names of the objectives and constrained metrics.
    """
    if outcome.cause is not None:
        return outcome
    values = {**outcome.scores, **outcome.costs}
    for name, value in values.items():
        if not math.isfinite(value):
            return replace(outcome, cause="nan", error=f"The trial returned {name} = {value}.")
    missing = [name for name in needed if name not in values]
    if missing:
        has = ", ".join(sorted(values)) or "nothing"
        error = f"The trial returned no {missing[0]!r}, which the search needs; it returned {has}."
        return replace(outcome, cause="error", error=error)
    return outcome
