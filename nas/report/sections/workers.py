"""What the workers did over time, and how much of it was waiting."""

import heapq
from typing import Any

from nas.report import blocks
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot


@SECTIONS.register("workers")
def workers(snapshot: Snapshot) -> Section | None:
    """Return one lane a worker; None where no trial recorded when it started."""
    spans = [span for record in snapshot.records if (span := _span(snapshot, record))]
    if not spans:
        return None
    names, lanes = assign_lanes(spans)
    begun = min(span["start"] for span in spans)
    ended = max(span["end"] for span in spans)
    busy = sum(span["end"] - span["start"] for span in spans)
    share = busy / (len(names) * (ended - begun)) if ended > begun else 1.0
    columns = {key: [s[key] for s in spans] for key in ("start", "end", "trial", "status")}
    columns["start"] = [round(value, 3) for value in columns["start"]]
    columns["end"] = [round(value, 3) for value in columns["end"]]
    marks = [snapshot.clock(start) for start, _ in snapshot.sessions[1:]]
    noun = "worker was" if len(names) == 1 else "workers were"
    resumed = (
        "" if not marks else f" The run was continued {blocks.times(len(marks))}: dashed lines."
    )
    return Section(
        "Workers over time",
        f"{len(names)} {noun} busy {share:.0%} of the time between the first start and the last "
        f"end; the rest is waiting for proposals, for data, or for the last trials.{resumed}",
        [blocks.gantt(names, {"lane": lanes, **columns}, marks)],
    )


def _span(snapshot: Snapshot, record: dict[str, Any]) -> dict[str, Any] | None:
    if record["started_at"] is None:
        return None
    end = record["finished_at"]
    if end is None:
        if record["status"] != "running" or not snapshot.sessions:
            return None
        end = max(snapshot.sessions[-1][1], record["started_at"])
    return {
        "start": snapshot.clock(record["started_at"]),
        "end": snapshot.clock(end),
        "trial": record["trial"],
        "status": record["status"],
        "node": record["node"] or "unknown machine",
        "worker": record.get("worker"),
    }


def assign_lanes(spans: list[dict[str, Any]]) -> tuple[list[str], list[int]]:
    """Return the names of the lanes, and the lane of each span.

    A worker's own number decides where it was recorded. Where not, the trials of a machine are
    put into as few lanes as do not overlap.
    """
    keys: list[tuple[str, int]] = [("", 0)] * len(spans)
    free: dict[str, list[tuple[float, int]]] = {}
    used: dict[str, int] = {}
    for at in sorted(range(len(spans)), key=lambda i: spans[i]["start"]):
        span = spans[at]
        node = span["node"]
        if span["worker"] is not None:
            keys[at] = (node, int(span["worker"]))
            continue
        waiting = free.setdefault(node, [])
        # clocks are read in the driver, so a worker's next trial may seem to start a moment early
        if waiting and waiting[0][0] <= span["start"] + 0.05:
            lane = heapq.heappop(waiting)[1]
        else:
            lane = used[node] = used.get(node, -1) + 1
        heapq.heappush(waiting, (span["end"], lane))
        keys[at] = (node, lane)
    order = {key: number for number, key in enumerate(sorted(set(keys)))}
    several = len({node for node, _ in order}) > 1
    names = [f"{node} · {lane + 1}" if several else f"worker {lane + 1}" for node, lane in order]
    return names, [order[key] for key in keys]
