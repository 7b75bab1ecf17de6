"""One policy searches a table, whose values stand in for training."""

import time
from typing import Any

from nas.benchmarks.protocol import Protocol
from nas.benchmarks.tables import Table
from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.policy import Policy


def replay(
    table: Table, protocol: Protocol, name: str, seed: int, batch: int, *, predicting: bool = False
) -> dict[str, Any]:
    """Let the policy called `name` search `table` in batches of `batch`.

    Args:
        table: Values of every architecture.
        protocol: Start and budget.
        name: A registered policy.
        seed: Of the policy and of the given rows.
        batch: Architectures asked for at once.
        predicting: Also note what the policy expected of each batch when it asked for it; costs a
            second fit a batch, which is not counted.

    Returns:
        "rows" in the order of evaluation; "cpu_seconds" spent in `ask` and `tell`, and "proposals"
        they answered; with `predicting` also "predictions", objective to
        `[place in rows, mean, sd]` in the objective's own units.

    Raises:
        PolicyError: The policy proposed something outside the table, or twice.
    """
    policy, told = protocol.policy(name, table, seed), protocol.told(table)
    rows = protocol.given(table, seed)
    for row in rows:
        policy.tell(table.architectures[row], told[row])
    given, limit = len(rows), protocol.limit(table)
    predictions: dict[str, list] = {}
    spent = 0.0
    while len(rows) < limit:
        begun = time.process_time()
        asked = policy.ask(min(batch, limit - len(rows)))
        spent += time.process_time() - begun
        if not asked:
            break
        if predicting:
            _note(predictions, forecast(policy, asked), len(rows))
        found = []
        for architecture in asked:
            found.append(place(architecture, table, rows + found, name))
        rows += found
        begun = time.process_time()
        for architecture, row in zip(asked, found, strict=True):
            policy.tell(architecture, told[row])
        spent += time.process_time() - begun
    result = {"rows": rows, "cpu_seconds": spent, "proposals": len(rows) - given}
    return {**result, "predictions": predictions} if predicting else result


def place(architecture: Architecture, table: Table, rows: list[int], name: str) -> int:
    """Return the row of a proposal of the policy called `name`, which must not be in `rows`.

    Raises:
        PolicyError: The table has no such row, or it was evaluated before.
    """
    row = table.index.get(architecture.hash)
    if row is None or row in rows:
        why = "is not in the table" if row is None else "was evaluated before"
        raise PolicyError(
            f"Policy {name!r} proposed architecture {architecture.short}, which {why}. "
            "A policy proposes members of its space, each once."
        )
    return row


def forecast(policy: Policy, architectures: list[Architecture]) -> dict[str, list] | None:
    """Return `[mean, sd]` of each architecture by objective, or None if the policy cannot tell.

    The standard deviation is that of the next result: what is unknown and what is noise together.
    """
    try:
        predicted = policy.predict(architectures)
    except PolicyError:
        return None
    return {
        objective: [
            [float(m), float((e**2 + a**2) ** 0.5)]
            for m, e, a in zip(p.mean, p.epistemic, p.aleatoric, strict=True)
        ]
        for objective, p in predicted.items()
    }


def _note(predictions: dict[str, list], forecasts: dict[str, list] | None, first: int) -> None:
    for objective, pairs in (forecasts or {}).items():
        noted = predictions.setdefault(objective, [])
        noted += [[first + i, mean, sd] for i, (mean, sd) in enumerate(pairs)]
