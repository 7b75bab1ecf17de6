"""What a policy is asked to improve: objectives with a direction, and constraints on metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.constraints import EXACT, Constraint, parse_constraint
from search_spaces.errors import InvalidExperiment, PolicyError


@dataclass(frozen=True)
class Objective:
    """One quantity to improve.

    Attributes:
        name: Its key in the told values, such as "glue" or "latency_ms".
        sign: +1 when larger is better, -1 when smaller is; `sign * value` is larger-is-better.
    """

    name: str
    sign: int

    @property
    def exact(self) -> bool:
        """Whether the value is computed from the architecture instead of being told."""
        return self.name in EXACT


def parse_objectives(objectives: Mapping[str, str]) -> tuple[Objective, ...]:
    """Read `{"glue": "max", "latency_ms": "min"}`, keeping the order."""
    if not isinstance(objectives, Mapping) or not objectives:
        raise PolicyError(
            f"Objectives are {objectives!r}; give at least one, such as {{'glue': 'max'}}."
        )
    for name, direction in objectives.items():
        if direction not in ("max", "min"):
            raise PolicyError(
                f"Objective {name!r} has the direction {direction!r}; write 'max' or 'min'."
            )
    return tuple(Objective(n, int(sign_of(d))) for n, d in objectives.items())


def sign_of(direction: str) -> float:
    """Return 1 for "max", -1 for "min": what makes a value larger-is-better when multiplied."""
    return 1.0 if direction == "max" else -1.0


def signs_of(objectives: Mapping[str, str]) -> list[float]:
    """Return the sign of each objective, in their order."""
    return [sign_of(direction) for direction in objectives.values()]


def oriented(values: Mapping[str, float], objectives: Mapping[str, str]) -> tuple[float, ...]:
    """Return the objectives among `values` in their order, larger is better."""
    return tuple(sign_of(direction) * values[name] for name, direction in objectives.items())


def parse_constraints(constraints: object) -> tuple[Constraint, ...]:
    """Read constraints given as strings or as `Constraint`.

    Raises:
        PolicyError: A text is no constraint.
    """
    if isinstance(constraints, str):
        constraints = (constraints,)
    return tuple(c if isinstance(c, Constraint) else _parsed(c) for c in constraints)


def _parsed(text: object) -> Constraint:
    try:
        return parse_constraint(text)
    except InvalidExperiment as error:
        raise PolicyError(f"Constraint {text!r} cannot be read: {error}") from None
