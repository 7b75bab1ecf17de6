"""What comes back from a worker, as the record and the policy see it."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from nas.evaluation.measured import named_twice, values_of
from nas.evaluation.mistakes import plain_mistakes
from nas.execution import CAUSES, Outcome
from nas.execution.answers import plain_answer
from nas.printable import LONGEST, message
from search_spaces.errors import TrialError

_LONGEST = {"error": LONGEST, "traceback": 20_000, "logs": 30_000, "node": 200, "device": 200}


def checked(outcome: Outcome, needed: Iterable[str] = ()) -> Outcome:
    """Return the outcome as it can be recorded, failed if what it measured cannot be used.

    Args:
        outcome: As it came from the worker.
        needed: Names of the objectives and constrained metrics.
    """
    outcome = replace(outcome, **_plain_facts(outcome))
    if outcome.cause is not None:
        return outcome
    try:
        values = plain_answer(vars(outcome))
    except TrialError as error:
        return replace(outcome, cause=error.cause, error=str(error))
    outcome = replace(outcome, **values, mistakes=plain_mistakes(outcome.mistakes))
    twice = named_twice(values)
    if twice:
        error = (
            f"The trial returned {twice[0]!r} as a score and as a cost, but a trial has one value "
            "of a name. Rename one of them in the trial function."
        )
        return replace(outcome, cause="error", error=error)
    found = values_of({**values, "seconds": outcome.seconds}, seconds=True)
    missing = [name for name in needed if found.get(name) is None]
    if missing:
        has = ", ".join(sorted(values_of(values))) or "nothing"
        error = f"The trial returned no {missing[0]!r}, which the search needs; it returned {has}."
        return replace(outcome, cause="error", error=error)
    return outcome


def _plain_facts(outcome: Outcome) -> dict[str, Any]:
    """Return what an outcome says beside its measurement, as text and numbers that can be kept."""
    facts: dict[str, Any] = {
        name: value if value is None else message(str(value), longest)
        for name, longest in _LONGEST.items()
        if (value := getattr(outcome, name)) or value is None
    }
    seconds = outcome.seconds
    usable = isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0
    facts["seconds"] = float(seconds) if usable else None
    known = outcome.cause is None or outcome.cause in CAUSES
    return facts if known else {**facts, "cause": "error"}
