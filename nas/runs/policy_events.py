"""What the policy went through, from the record: asked when, told what, in which order.

A request for proposals is an event of its own, before the answer: what the policy knew when it was
asked is every result recorded before the request, and none that came while it was thinking.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nas.evaluation.measured import values_of
from nas.runs.journal import Journal


@dataclass
class Request:
    """One call of `ask`.

    Attributes:
        event: Its number in the record.
        n: How many proposals were asked for.
        asked: The trials that came of it, as rows of the record.
        answered: Whether the answer was recorded; it was not if the driver died meanwhile.
    """

    event: int
    n: int
    asked: list[dict[str, Any]] = field(default_factory=list)
    answered: bool = False


@dataclass(frozen=True)
class Tell:
    """One result, as a row of the record."""

    event: int
    record: dict[str, Any]


@dataclass(frozen=True)
class Aim:
    """A change of objectives or constraints: from here on it is another policy that knows all."""

    event: int
    before: dict[str, Any]
    after: dict[str, Any]


def policy_events(journal: Journal) -> Iterator[Request | Tell | Aim]:
    """Yield what happened to the policy, in its order."""
    records = {record["trial"]: record for record in journal.each_trial()}
    requests: dict[int, Request] = {}
    order: list[Request | Tell | Aim] = []
    for event, kind, trial, payload in journal.numbered_events():
        if kind == "request":
            requests[event] = Request(event, payload["n"])
            order.append(requests[event])
        elif kind == "ask":
            # The older format asked for one at a time and recorded the answer alone.
            if "request" not in payload:
                requests[event] = Request(event, 1)
                order.append(requests[event])
            request = requests[payload.get("request", event)]
            request.asked.append(records[trial])
            request.answered = True
        elif kind == "exhausted":
            requests[payload["request"]].answered = True
        elif kind == "tell" and payload.get("status") in ("done", "failed"):
            order.append(Tell(event, records[trial]))
        elif kind == "aim":
            order.append(Aim(event, payload["before"], payload["after"]))
    yield from order


def told(record: dict[str, Any]) -> dict[str, Any]:
    """Return a finished row as an event of `Policy.restore`."""
    event = {
        "tell": record["architecture"], "fidelity": record["fidelity"], "hash": record["hash"]
    }  # fmt: skip
    if record["status"] == "done":
        values = values_of(record, seconds=True)
        return {**event, "values": values, "cost": record["seconds"]}
    return {**event, "error": record["cause"] or "error"}


def asked(record: dict[str, Any]) -> dict[str, Any]:
    """Return a proposal's row as an event of `Policy.restore`."""
    return {"ask": record["architecture"], "why": record["proposal"], "hash": record["hash"]}
