"""Which trials deserve more of the budget: the best at one fidelity go on to the next.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020 (ASHA).
"""

from collections.abc import Sequence
from numbers import Real

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.objectives import Objective
from surrogates.record import Record, Trial


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
        return fidelities[0]
    at = reached[-1]
    above = fidelities[fidelities.index(at) + 1]
    if objective.exact:
        return above
    told = [_value(t, at, objective) for t in record.trials.values() if at in t.partial]
    promoted = max(1, int(len(told) * at / above))
    return above if _value(trial, at, objective) >= sorted(told)[-promoted] else None


def _value(trial: Trial, fidelity: float, objective: Objective) -> float:
    return objective.sign * trial.partial[fidelity][objective.name]
