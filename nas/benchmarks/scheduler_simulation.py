"""Hundreds of workers in virtual time, with the real policy and the search's own rule of asking.

Trials last as long as their architecture says; a proposal takes the CPU seconds it takes here.
While the policy thinks, workers go on and results arrive, which it learns of afterwards, as in a
real search.
"""

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from nas.benchmarks.simulated_trials import Trials
from nas.search.lookahead import Ahead
from search_spaces import Architecture
from surrogates.policy import Policy

Make = Callable[[], Policy]
# One worker that has not found what it looks for after so many trials stops looking.
_MOST_OF_ONE = 300


class _Seen:
    """What a search has found, and when."""

    def __init__(self, trials: Trials, threshold: float):
        self._trials, self._threshold = trials, threshold
        self.to_top, self.best = np.inf, -np.inf

    def tell(self, policy: Policy, architecture: Architecture, at: float) -> None:
        score = self._trials.value(architecture)
        policy.tell(architecture, {"glue": score}, cost=self._trials.seconds(architecture))
        self.best = max(self.best, score)
        self.to_top = min(self.to_top, at if score >= self._threshold else np.inf)

    def row(self) -> dict[str, float]:
        return {"to_top_seconds": float(self.to_top), "best": float(self.best)}


def simulate(
    policy: Policy, trials: Trials, workers: int, budget: float, threshold: float
) -> dict[str, float]:
    """Search with `workers` workers that are answered at once, until the time is up.

    Args:
        policy: Fresh, with the objective "glue".
        trials: What is searched.
        workers: How many trials run at once.
        budget: Seconds of virtual time; no further trial ends afterwards.
        threshold: Value of the top 1 %.

    Returns:
        "idle", the share of all workers' time, from the first moment to the last, that they waited
        for a proposal; "to_top_seconds" until a trial above the threshold ended (infinite if
        never); "best" value; "trials" that ended; "thinking_seconds" of the policy; "requests".
    """
    ahead, seen = Ahead(workers, concurrent=True), _Seen(trials, threshold)
    running: list[tuple[float, int, Architecture]] = []
    free: deque[float] = deque([0.0] * workers)
    ready: deque[Architecture] = deque()
    answer: tuple[float, float, list[Architecture]] | None = None
    now = waited = thinking = 0.0
    done = requests = 0
    number, exhausted = itertools.count(), False
    while now < budget:
        if answer is not None and answer[0] <= now:
            ahead.answered(answer[1], starved=bool(free) and not ready)
            ready.extend(answer[2])
            answer = None
        while free and ready:
            architecture = ready.popleft()
            waited += now - free.popleft()
            heapq.heappush(
                running, (now + trials.seconds(architecture), next(number), architecture)
            )
        if answer is None and not exhausted:
            n = ahead.request(done, free=len(free), ready=len(ready))
            if n > 0:
                begun = time.process_time()
                found = policy.ask(n)
                taken = time.process_time() - begun
                answer, exhausted = (now + taken, taken, found), not found
                thinking, requests = thinking + taken, requests + 1
        coming = [r[0] for r in running[:1]] + ([answer[0]] if answer else [])
        now = min([*coming, budget])
        while running and running[0][0] <= now:
            ended, _, architecture = heapq.heappop(running)
            seen.tell(policy, architecture, ended)
            done += 1
            free.append(ended)
            ahead.returned(ended)
    waited += sum(budget - since for since in free)
    return {
        "idle": waited / (workers * budget),
        **seen.row(),
        "trials": done,
        "thinking_seconds": thinking,
        "requests": requests,
    }


def synchronous(
    policy: Policy, trials: Trials, width: int, budget: float, threshold: float
) -> dict[str, float]:
    """Search in batches: all of one end before the next is asked for; `width` 1 is one worker.

    One worker stops at the threshold, and looks longer than the budget for it.
    """
    seen = _Seen(trials, threshold)
    now = busy = 0.0
    done = 0
    while now < budget or (width == 1 and done < _MOST_OF_ONE):
        begun = time.process_time()
        batch = policy.ask(width)
        now += time.process_time() - begun
        if not batch:
            break
        seconds = [trials.seconds(a) for a in batch]
        for architecture, lasted in zip(batch, seconds, strict=True):
            busy += max(0.0, min(lasted, budget - now)) if width > 1 else lasted
            if width == 1 or now + lasted <= budget:
                seen.tell(policy, architecture, now + lasted)
                done += 1
        now += max(seconds)
        if width == 1 and np.isfinite(seen.to_top):
            break
    whole = budget if width > 1 else now
    return {"idle": 1 - busy / (width * whole), **seen.row(), "trials": done}


def compare(
    make: Make, trials: Trials, workers: int, rounds: float, threshold: float
) -> list[dict[str, object]]:
    """Return a row each for asynchronous workers, batches of the same width, and one worker.

    Args:
        make: Builds a fresh policy.
        trials: What is searched.
        workers: How many trials run at once.
        rounds: The budget, in usual trials of each worker.
        threshold: Value of the top 1 %.
    """
    budget = rounds * trials.median_seconds
    found: list[dict[str, object]] = []
    for how, search, width in (
        ("asynchronous", simulate, workers),
        ("batches", synchronous, workers),
        ("one worker", synchronous, 1),
    ):
        row = search(make(), trials, width, budget, threshold)
        found.append({"how": how, "workers": width, **row})
    return found
