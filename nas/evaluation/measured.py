"""What a trial measured, by name: its scores and its costs together."""

from collections.abc import Mapping
from typing import Any

# Costs that count something: whole numbers.
COUNTS = ("parameters", "flops")
# What tables of trials call the facts of a trial, and no score or cost may be called.
TAKEN = frozenset(
    (
        "trial", "hash", "status", "fidelity", "seconds", "recipe", "cause", "error", "attempts",
        "node", "device", "worker", "continues", "spent_seconds", "gpu_seconds", "asked_at",
        "started_at", "finished_at", "architecture", "budget_seconds", "run", "order", "pending",
        "pending_count", "front_size", "reason", "parent", "logs", "traceback",
    )
)  # fmt: skip
CHOSEN = "recipe."  # what the columns begin with that an architecture chose of its recipe


def name_is_taken(name: str) -> bool:
    """Whether tables of trials need a name for a fact of a trial or for a choice of its recipe."""
    return name in TAKEN or name.startswith(CHOSEN)


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
