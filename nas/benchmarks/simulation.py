"""Many workers at once, simulated: what waiting for proposals and stale knowledge cost.

Each trial lasts as long as the table says training took. One driver, as in a real search, answers
free workers one after another; while it thinks, the clock runs and further trials may end, which
it learns of before its next proposal.
"""

import heapq
import time
from collections import deque
from typing import Any

import numpy as np

from nas.benchmarks.policy_scores import top_threshold
from nas.benchmarks.protocol import Protocol
from nas.benchmarks.replay import place
from nas.benchmarks.tables import Table
from search_spaces.errors import InvalidData

DURATIONS = ("train_seconds", "seconds", "time_to_train")  # columns tried, in this order


def find_duration_column(table: Table) -> str | None:
    """Return the first of `DURATIONS` that the table has, or None."""
    return next((c for c in DURATIONS if c in table.columns), None)


def duration_column(table: Table, name: str | None = None) -> str:
    """Return the column of training seconds: `name`, or what `find_duration_column` finds.

    Raises:
        UnknownName: The table has no column `name`.
        InvalidData: Nothing says how long training took, or a duration is negative.
    """
    name = name or find_duration_column(table)
    if name is None:
        raise InvalidData(
            f"{table.name} has none of the columns {', '.join(DURATIONS)}, so the workers cannot "
            f"be simulated. Name the seconds of training with --durations; columns: "
            f"{', '.join(sorted(table.columns))}."
        )
    values = table.column(name)
    if values.min() < 0:
        line = table.lines[int(values.argmin())]
        raise InvalidData(f"{table.name}, line {line}: {name} is {values.min()}, a negative time.")
    return name


def simulate(
    table: Table,
    protocol: Protocol,
    name: str,
    seed: int,
    workers: int,
    durations: np.ndarray,
    *,
    latency: float | None = None,
) -> dict[str, Any]:
    """Search `table` with `workers` workers that are never idle on purpose.

    Args:
        table: Values of every architecture.
        protocol: Start and budget; given rows are trained first, and need no proposal.
        name: A registered policy.
        seed: Of the policy and of the given rows.
        workers: How many trials run at once.
        durations: Seconds each row trains, `(n,)`.
        latency: Seconds a proposal takes; by default the CPU seconds it takes here, so that other
            load on the machine does not count.

    Returns:
        "rows" in the order they were started, with "started" and "finished" seconds of each
        and how long its worker had been waiting ("waits"), and the "latencies" of the proposals.
    """
    policy, told = protocol.policy(name, table, seed), protocol.told(table)
    given, limit = deque(protocol.given(table, seed)), protocol.limit(table)
    # In flight from the start, so that they are not proposed meanwhile.
    policy.restore([{"ask": table.architectures[row]} for row in given])
    rows: list[int] = []
    started: list[float] = []
    finished: list[float] = []
    latencies: list[float] = []
    training: list[tuple[float, int]] = []  # a heap of (end, place in rows)
    waits: list[float] = []
    now, free = 0.0, deque([0.0] * workers)  # since when each idle worker is
    while True:
        begun = time.process_time()
        while training and training[0][0] <= now:
            ended, at = heapq.heappop(training)
            policy.tell(table.architectures[rows[at]], told[rows[at]], cost=durations[rows[at]])
            free.append(ended)
        if free and len(rows) < limit:
            if given:
                asked = [table.architectures[given.popleft()]]
            else:
                asked = policy.ask(1)
                taken = time.process_time() - begun if latency is None else latency
                latencies.append(taken)
                now += taken
            if asked:
                rows.append(place(asked[0], table, rows, name))
                started.append(now)
                finished.append(now + float(durations[rows[-1]]))
                heapq.heappush(training, (finished[-1], len(rows) - 1))
                waits.append(now - free.popleft())
                continue
            limit = len(rows)
        if not training:
            return {
                "rows": rows,
                "started": started,
                "finished": finished,
                "waits": waits,
                "latencies": latencies,
            }
        now = max(now, training[0][0])


def simulation_scores(values: np.ndarray, result: dict[str, Any], workers: int) -> dict[str, float]:
    """Return the figures of one simulation.

    Args:
        values: Of every row, `(n,)`, larger is better.
        result: Of `simulate`.
        workers: How many there were.

    Returns:
        "to_top_seconds" until one of the top 1 % has been trained (infinite if never);
        "total_seconds" until the last trial ended; "idle", the share of all worker time without a
        trial; "waiting", the share without one of the time until each worker's last trial ended:
        what is lost to proposals, while "idle" also counts workers with nothing left to do;
        "latency_p50" and "latency_p95" in seconds.
    """
    rows = np.array(result["rows"])
    started, finished = np.array(result["started"]), np.array(result["finished"])
    total, busy, waited = finished.max(), (finished - started).sum(), sum(result["waits"])
    top = finished[values[rows] >= top_threshold(values)]
    latencies = result["latencies"] or [np.nan]
    return {
        "to_top_seconds": float(top.min()) if top.size else np.inf,
        "total_seconds": float(total),
        "idle": float(1 - busy / (workers * total)) if total else 0.0,
        "waiting": float(waited / (waited + busy)) if total else 0.0,
        "latency_p50": float(np.quantile(latencies, 0.5)),
        "latency_p95": float(np.quantile(latencies, 0.95)),
    }
