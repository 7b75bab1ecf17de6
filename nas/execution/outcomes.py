"""What comes back from a worker, as the record and the policy see it."""

import math
from collections.abc import Iterable
from dataclasses import replace

from nas.evaluation.measured import named_twice, values_of
from nas.execution import Outcome


def checked(outcome: Outcome, needed: Iterable[str]) -> Outcome:
    """Return the outcome, failed if what it measured cannot be used.

    Args:
        outcome: As it came from the worker.
        needed: Names of the objectives and constrained metrics.
    """
    if outcome.cause is not None:
        return outcome
    twice = named_twice(vars(outcome))
    if twice:
        error = (
            f"The trial returned {twice[0]!r} as a score and as a cost, but a trial has one value "
            "of a name. Rename one of them in the trial function."
        )
        return replace(outcome, cause="error", error=error)
    values = values_of(vars(outcome))
    for name, value in values.items():
        if not math.isfinite(value):
            return replace(outcome, cause="nan", error=f"The trial returned {name} = {value}.")
    missing = [name for name in needed if name not in values]
    if missing:
        has = ", ".join(sorted(values)) or "nothing"
        error = f"The trial returned no {missing[0]!r}, which the search needs; it returned {has}."
        return replace(outcome, cause="error", error=error)
    return outcome
