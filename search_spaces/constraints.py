"""Constraints such as "parameters < 15e6": read from text, and applied while sampling."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.size import count_flops, count_parameters
from search_spaces.errors import InvalidExperiment, UnknownName

EXACT = ("parameters", "flops")  # computed from the architecture, so nothing has to be trained
RELATIONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FORM = re.compile(r"\s*([A-Za-z][\w.\-]*)\s*(<=|>=|<|>)\s*([^\s<>=]+)\s*")

Metric = Callable[[Architecture], float]


@dataclass(frozen=True)
class Constraint:
    """A bound on one metric.

    Attributes:
        metric: What is bounded, such as "parameters" or "latency_ms".
        relation: "<", "<=", ">" or ">=".
        bound: In the metric's own units.
    """

    metric: str
    relation: str
    bound: float

    @property
    def sign(self) -> int:
        """+1 for an upper bound, -1 for a lower bound."""
        return 1 if self.relation.startswith("<") else -1

    @property
    def exact(self) -> bool:
        """Whether the metric is computed from the architecture instead of being measured."""
        return self.metric in EXACT

    def allows(self, value: float) -> bool:
        """Whether `value`, in the metric's own units, keeps the bound; NaN never does."""
        return bool(RELATIONS[self.relation](value, self.bound))


def parse_constraint(text: object) -> Constraint:
    """Read a constraint: a metric, one of <, <=, > and >=, and a number.

    Raises:
        InvalidExperiment: The text has another form, or the number is not finite.
    """
    match = _FORM.fullmatch(str(text))
    try:
        metric, relation, bound = match.groups()  # type: ignore[union-attr]
        number = float(bound)
    except (AttributeError, ValueError):
        raise InvalidExperiment(
            f"{text!r} is no constraint. Write NAME < NUMBER with <, <=, > or >=, "
            "for instance 'parameters < 15e6' or 'latency_ms <= 20'."
        ) from None
    if not math.isfinite(number):
        raise InvalidExperiment(
            f"{text!r} is no constraint: it has a bound that is not a finite number. "
            "Write one such as 15e6."
        )
    return Constraint(metric, relation, number)


def make_accept(
    constraints: str | Constraint | Iterable[str | Constraint],
    *,
    metrics: Mapping[str, Metric] | None = None,
    vocabulary_size: int = 30_522,
    max_length: int = 128,
    length: int = 128,
    positions: str = "absolute",
) -> Callable[[Architecture], bool]:
    """Return the `accept` that `Space.sample` and `initial_design` take.

    Args:
        constraints: All must hold.
        metrics: Functions from an architecture to the value of other metrics, such as a table of
            latencies: `{"latency_ms": table.__getitem__}`. Cheap metrics are looked at first:
            "parameters" and "flops", then these in the order of the constraints.
        vocabulary_size: Number of tokens, for "parameters".
        max_length: Tokens the position table holds, for "parameters".
        length: Tokens of the sequence, for "flops".
        positions: "absolute" or "relative", for both.

    Raises:
        InvalidExperiment: A text is no constraint.
        UnknownName: A constraint is on a metric that is neither built in nor given.
    """
    if isinstance(constraints, str | Constraint):
        constraints = (constraints,)
    parsed = [c if isinstance(c, Constraint) else parse_constraint(c) for c in constraints]
    sizes = {"vocabulary_size": vocabulary_size, "positions": positions}
    known: dict[str, Metric] = {
        "parameters": partial(count_parameters, max_length=max_length, **sizes),
        "flops": partial(count_flops, length=length, **sizes),
        **(metrics or {}),
    }
    for constraint in parsed:
        if constraint.metric not in known:
            raise UnknownName("metric to constrain while sampling", constraint.metric, known)
    parsed.sort(key=lambda constraint: not constraint.exact)

    def accept(architecture: Architecture) -> bool:
        return all(c.allows(known[c.metric](architecture)) for c in parsed)

    return accept
