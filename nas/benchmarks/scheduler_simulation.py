"""Hundreds of workers in virtual time, with the real policy and the search's own rule of asking.

Trials last as long as drawn; a proposal takes the CPU seconds it takes here. While the policy
thinks, workers go on and results arrive, which it learns of afterwards, as in a real search.
"""

import hashlib
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

from nas.ahead import Ahead
from nas.benchmarks.trivial_trial import value
from search_spaces import Architecture
from surrogates.policy import Policy

MEDIAN_SECONDS, SPREAD = 600.0, 0.5  # of a trial, lognormal


def duration(architecture: Architecture) -> float:
    """Return the seconds a trial lasts: drawn once for each architecture."""
    seed = int.from_bytes(hashlib.sha256(architecture.hash.encode()).digest()[4:8], "big")
    return MEDIAN_SECONDS * float(np.exp(SPREAD * np.random.default_rng(seed).normal()))


def top_threshold(architectures: Iterable[Architecture]) -> float:
    """Return the value that one in a hundred of `architectures` exceeds."""
    return float(np.quantile([value(a) for a in architectures], 0.99))


def simulate(policy: Policy, workers: int, trials: int, threshold: float) -> dict[str, float]:
    """Search with `workers` workers that are answered at once.

    Args:
        policy: Fresh, with the objective "glue".
        workers: How many trials run at once.
        trials: How many architectures to train.
        threshold: Value of the top 1 %.

    Returns:
        "idle", the share of the workers' time, until their last trial ended, that they waited for a
        proposal; "to_top_seconds" until a trial above the threshold ended (infinite if never);
        "total_seconds"; "thinking_seconds" of the policy; "requests" made.
    """
    ahead = Ahead(workers, concurrent=True)
    running: list[tuple[float, int, Architecture]] = []
    free: deque[float] = deque([0.0] * workers)
    ready: deque[Architecture] = deque()
    answer: tuple[float, float, list[Architecture]] | None = None
    now = waited = busy = thinking = 0.0
    asked = done = requests = 0
    number = itertools.count()
    to_top, exhausted = np.inf, False
    while True:
        if answer is not None and answer[0] <= now:
            ahead.answered(answer[1], starved=bool(free) and not ready)
            ready.extend(answer[2])
            answer = None
        while free and ready:
            architecture = ready.popleft()
            waited += now - free.popleft()
            seconds = duration(architecture)
            busy += seconds
            heapq.heappush(running, (now + seconds, next(number), architecture))
        if answer is None and asked < trials and not exhausted:
            n = min(ahead.request(done, free=len(free), ready=len(ready)), trials - asked)
            if n > 0:
                begun = time.process_time()
                found = policy.ask(n)
                taken = time.process_time() - begun
                answer, exhausted = (now + taken, taken, found), not found
                thinking, requests, asked = thinking + taken, requests + 1, asked + len(found)
        if not running and answer is None:
            break
        now = min([r[0] for r in running[:1]] + ([answer[0]] if answer else []))
        while running and running[0][0] <= now:
            ended, _, architecture = heapq.heappop(running)
            score = value(architecture)
            policy.tell(architecture, {"glue": score}, cost=duration(architecture))
            done += 1
            free.append(ended)
            ahead.returned(ended)
            to_top = min(to_top, ended if score >= threshold else np.inf)
    return {
        "idle": waited / (waited + busy),
        "to_top_seconds": float(to_top),
        "total_seconds": now,
        "thinking_seconds": thinking,
        "requests": float(requests),
    }


def synchronous(policy: Policy, width: int, trials: int, threshold: float) -> dict[str, float]:
    """Search in batches: all of one end before the next is asked for; `width` 1 is one worker."""
    now = busy = 0.0
    to_top, asked = np.inf, 0
    while asked < trials:
        begun = time.process_time()
        batch = policy.ask(min(width, trials - asked))
        now += time.process_time() - begun
        if not batch:
            break
        asked += len(batch)
        seconds = [duration(a) for a in batch]
        for architecture, lasted in zip(batch, seconds, strict=True):
            score = value(architecture)
            policy.tell(architecture, {"glue": score}, cost=lasted)
            to_top = min(to_top, now + lasted if score >= threshold else np.inf)
        now, busy = now + max(seconds), busy + sum(seconds)
        if width == 1 and np.isfinite(to_top):
            break
    return {"idle": 1 - busy / (width * now), "to_top_seconds": float(to_top), "total_seconds": now}


Make = Callable[[], Policy]


def compare(make: Make, workers: int, trials: int, threshold: float) -> list[dict[str, object]]:
    """Return one row each for asynchronous workers, batches of the same width, and one worker."""
    return [
        {"how": "asynchronous", "workers": workers, **simulate(make(), workers, trials, threshold)},
        {"how": "batches", "workers": workers, **synchronous(make(), workers, trials, threshold)},
        {"how": "one worker", "workers": 1, **synchronous(make(), 1, trials, threshold)},
    ]
