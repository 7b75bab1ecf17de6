"""Which trials deserve more of the budget: the best at one fidelity go on to the next.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020 (ASHA).
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Real
from statistics import median

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.objectives import Objective
from surrogates.record import Record, Trial, believed

ENOUGH = 6  # results at a fidelity that were expected, before anything is sure to be promoted


def check_fidelities(fidelities: object) -> None:
    """Refuse anything but ascending shares that end at 1.

    Raises:
        PolicyError: With what to give instead.
    """
    shares = list(fidelities) if isinstance(fidelities, (tuple, list)) else []
    numbers = all(isinstance(f, Real) and not isinstance(f, bool) and 0 < f <= 1 for f in shares)
    if not shares or not numbers or shares != sorted(set(shares)) or shares[-1] != 1:
        raise PolicyError(
            f"The option fidelities is {fidelities!r}; give ascending shares of the full budget "
            "that end at 1, such as (0.25, 1.0)."
        )


def promoted_count(results: int, reduction: float) -> int:
    """Return how many of the results at one fidelity deserve the next: one in `reduction`."""
    # A little more than the quotient: rounding must not turn 3 of 3 into none.
    return int(results / reduction + 1e-9)


def next_fidelity(
    fidelities: Sequence[float], record: Record, architecture: Architecture, objective: Objective
) -> float | None:
    """Return the fidelity at which `architecture` should be trained next; None if at none.

    Promoted are the best share of the results at one fidelity that is the ratio of this fidelity
    to the next, at least one; an exact objective promotes everything.

    Args:
        fidelities: Ascending, the last one 1.
        record: Everything told.
        architecture: Asked, told or neither.
        objective: Decides what is better.
    """
    trial = record.trials.get(architecture.hash)
    if trial is None:
        return fidelities[0]
    if trial.settled:
        return None
    reached = [f for f in fidelities if f in trial.partial]
    if not reached:
        return starting_fidelity(fidelities, record, trial, objective)
    at = reached[-1]
    above = fidelities[fidelities.index(at) + 1]
    if objective.exact:
        return above
    told = [_value(t, at, objective) for t in record.trials.values() if at in t.partial]
    promoted = max(1, promoted_count(len(told), above / at))
    return above if _value(trial, at, objective) >= sorted(told)[-promoted] else None


def starting_fidelity(
    fidelities: Sequence[float], record: Record, trial: Trial, objective: Objective
) -> float:
    """Return the fidelity at which a proposal should be trained first.

    What is sure to be promoted need not be looked at before. A fidelity is left out where the
    proposal is expected, by more than the deviation, among the share of its results that is
    promoted. How much lower results are there is the median of what was expected of each at the
    full budget, less what it reached.

    Args:
        fidelities: Ascending, the last one 1.
        record: Everything told.
        trial: The proposal.
        objective: Decides what is better.
    """
    start, own = fidelities[0], _expected(trial, objective)
    if own is None or objective.exact:
        return start
    for at, above in pairwise(fidelities):
        told = [(_value(t, at, objective), t) for t in record.trials.values() if at in t.partial]
        promoted = promoted_count(len(told), above / at)
        gaps = [e[0] - value for value, t in told if (e := _expected(t, objective)) is not None]
        if len(gaps) < ENOUGH or promoted < 1:
            return start
        cut = sorted(value for value, _ in told)[-promoted]
        if own[0] - median(gaps) - own[1] < cut:
            return start
        start = above
    return start


def _expected(trial: Trial, objective: Objective) -> tuple[float, float] | None:
    """Return the mean, larger is better, and deviation that a proposal came with, if any."""
    names = ("mean", "epistemic", "aleatoric")
    found = [believed(trial.why, name, objective.name) for name in names]
    if None in found:
        return None
    mean, *deviations = found
    return objective.sign * mean, math.hypot(*deviations)


def _value(trial: Trial, fidelity: float, objective: Objective) -> float:
    return objective.sign * trial.partial[fidelity][objective.name]
