"""Who proposes: the policy in this process, or in one of its own that thinks while trials train.

Both get the same messages in the same order, that of the record, and so propose the same.
"""

import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.runs.journal import Journal
from nas.runs.policy_events import Aim, Request, Tell, asked, policy_events, told
from search_spaces import Architecture
from surrogates.policy import Policy


@dataclass(frozen=True)
class Answer:
    """What the policy proposed.

    Attributes:
        request: Number of the request's event.
        proposals: (architecture, hash, why) of each, the architecture as a dictionary.
        seconds: How long it thought.
    """

    request: int
    proposals: list[tuple[dict[str, Any], str, dict[str, Any]]]
    seconds: float


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep to one core: sums come out alike on every machine, and trials get the others."""
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    try:
        if torch:
            torch.set_num_threads(1)
        with threadpool_limits(1):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)


def propose(policy: Policy, n: int) -> list[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Ask `policy` for up to `n` proposals.

    Returns:
        (architecture, hash, why) of each. Where trials are promoted, "fidelity" in why is where
        the policy would have it start.
    """
    with one_thread():
        return [(a.to_dict(), a.hash, _why(policy, a)) for a in policy.ask(n)]


def _why(policy: Policy, architecture: Architecture) -> dict[str, Any]:
    why = policy.explain(architecture) or {}
    if len(policy.options.fidelities) == 1:
        return why
    return {**why, "fidelity": policy.fidelity(architecture)}


def tell(policy: Policy, event: dict[str, Any]) -> None:
    """Tell `policy` one result, as `policy_events.told` writes it."""
    policy.tell(
        Architecture.from_dict(event["tell"]),
        event.get("values"),
        error=event.get("error"),
        cost=event.get("cost"),
        fidelity=event["fidelity"],
    )


def restore(policy: Policy, journal: Journal) -> tuple[Request | None, list[dict[str, Any]]]:
    """Bring `policy` to where the record ends, without fitting anything.

    If the last driver died before an answer was recorded, the policy is brought to where that
    request was made.

    Returns:
        The request without an answer, if any, and the results that came after it.
    """
    events: list[dict[str, Any]] = []
    open_request: Request | None = None
    later: list[dict[str, Any]] = []
    known: dict[str, Architecture] = {}

    def once(event: dict[str, Any], key: str) -> dict[str, Any]:
        # One object for the ask and the results of an architecture, which is read once.
        digest = event["hash"]
        if digest not in known:
            known[digest] = Architecture.from_dict(event[key])
        return {**event, key: known[digest]}

    for step in policy_events(journal):
        if isinstance(step, Aim) and open_request is not None:
            # Asked with another aim; nobody waits for that answer any more.
            events += [once(event, "tell") for event in later]
            open_request, later = None, []
        elif isinstance(step, Request):
            if not step.answered:
                open_request = step
            events += [once(asked(record), "ask") for record in step.asked]
        elif isinstance(step, Tell) and open_request is not None:
            later.append(told(step.record))
        elif isinstance(step, Tell):
            events.append(once(told(step.record), "tell"))
    policy.restore(events)
    return open_request, later


class Proposer(ABC):
    """Holds the policy; `concurrent` says whether it thinks while the search goes on."""

    concurrent: bool

    @abstractmethod
    def restore(self, directory: Path) -> int | None:
        """Bring the policy to where the record ends; return the request asked again, if any."""

    @abstractmethod
    def tell(self, event: dict[str, Any]) -> None:
        """Pass on a result, after it was committed."""

    @abstractmethod
    def request(self, number: int, n: int) -> None:
        """Ask for up to `n` proposals, after the request was committed as event `number`."""

    @abstractmethod
    def ready(self, seconds: float) -> bool:
        """Whether there is an answer, waiting for it so long."""

    @abstractmethod
    def answer(self) -> Answer | None:
        """Return the answer to the request; None if there is none yet."""

    @abstractmethod
    def close(self) -> None:
        """Stop thinking."""


class InlineProposer(Proposer):
    """Asks a policy in this process, at once.

    Args:
        policy: Fresh.
    """

    concurrent = False

    def __init__(self, policy: Policy):
        self.policy = policy
        self._answers: deque[Answer] = deque()

    def restore(self, directory: Path) -> int | None:
        journal = Journal(directory / "run.db", readonly=True)
        request, later = restore(self.policy, journal)
        journal.close()
        if request is not None:
            self.request(request.event, request.n)
        for event in later:
            self.tell(event)
        return request.event if request else None

    def tell(self, event: dict[str, Any]) -> None:
        tell(self.policy, event)

    def request(self, number: int, n: int) -> None:
        begun = time.perf_counter()
        proposals = propose(self.policy, n)
        self._answers.append(Answer(number, proposals, time.perf_counter() - begun))

    def ready(self, seconds: float) -> bool:
        return bool(self._answers)

    def answer(self) -> Answer | None:
        return self._answers.popleft() if self._answers else None

    def close(self) -> None:
        """Nothing runs."""
