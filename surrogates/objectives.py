"""What a policy is asked to improve: objectives with a direction, and constraints on metrics."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.errors import PolicyError

EXACT = ("parameters", "flops")  # computed from the architecture, so no model is needed


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


@dataclass(frozen=True)
class Constraint:
    """A bound on one metric: `sign * value <= sign * bound`.

    Attributes:
        metric: Its key in the told values, or "parameters" or "flops".
        sign: +1 for an upper bound, -1 for a lower bound.
        bound: In the metric's own units.
    """

    metric: str
    sign: int
    bound: float

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """Read "parameters<15e6" or "glue>=0.6"; strict and non-strict bounds mean the same."""
        match = re.fullmatch(r"\s*([\w.\-]+)\s*(<=|>=|<|>)\s*(\S+)\s*", text)
        try:
            metric, relation, bound = match.groups()  # type: ignore[union-attr]
            bound = float(bound.replace("_", ""))
        except (AttributeError, ValueError):
            raise PolicyError(
                f"Constraint {text!r} cannot be read. Write a metric, < or >, and a number, "
                "such as 'parameters<15e6'."
            ) from None
        if not math.isfinite(bound):
            raise PolicyError(f"Constraint {text!r} has a bound that is not a finite number.")
        return cls(metric, 1 if relation.startswith("<") else -1, bound)

    @property
    def exact(self) -> bool:
        """Whether the metric is computed from the architecture instead of being told."""
        return self.metric in EXACT

    def allows(self, value: float) -> bool:
        """Whether `value`, in the metric's own units, keeps the bound."""
        return self.sign * value <= self.sign * self.bound


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
    return tuple(Objective(n, 1 if d == "max" else -1) for n, d in objectives.items())


def parse_constraints(constraints: object) -> tuple[Constraint, ...]:
    """Read constraints given as strings or as `Constraint`."""
    if isinstance(constraints, str):
        constraints = (constraints,)
    return tuple(c if isinstance(c, Constraint) else Constraint.parse(c) for c in constraints)
