"""What a trial measured, by name: its scores and its costs together."""

from collections.abc import Mapping
from typing import Any


def values_of(row: Mapping[str, Any], *, seconds: bool = False) -> dict[str, Any]:
    """Return the scores and costs of a trial by name.

    A name that is both is refused when a measurement comes in (`nas.execution.outcomes`); where an
    older record has one, the cost counts.

    Args:
        row: A row of the record, or a measurement as a mapping; without "scores" and "costs", it
            measured nothing.
        seconds: Whether how long it took counts as a value, as "seconds".
    """
    values = {**row.get("scores", {}), **row.get("costs", {})}
    return {**values, "seconds": row["seconds"]} if seconds else values


def named_twice(row: Mapping[str, Any]) -> list[str]:
    """Return the names that are both a score and a cost."""
    return sorted(set(row["scores"]) & set(row["costs"]))
