"""How busy the workers were and how long proposals took, from the record alone."""

from collections.abc import Iterable, Sequence
from typing import Any

Sessions = Sequence[tuple[float, float]]


def worker_use(
    records: Iterable[dict[str, Any]],
    sessions: Sessions,
    now: float,
    capacities: Sequence[tuple[float, int]] = (),
) -> tuple[int, float | None]:
    """Return the number of workers, and the share of the time they had nothing to do.

    The share is None before any worker started. Time between sessions is nobody's.

    Args:
        records: The journal's trials.
        sessions: When drivers were at work: (start, last seen), in seconds since the epoch.
        now: Running trials have worked until this moment.
        capacities: (moment, workers from then on), where they were recorded; else there were as
            many as ever worked, all the time.
    """
    spans = [
        (r["started_at"], r["finished_at"] or (now if r["status"] == "running" else None))
        for r in records
        if r["started_at"] is not None
    ]
    spans = [(start, end) for start, end in spans if end is not None and end > start]
    slots = {r["worker"] for r in records if r.get("worker") is not None}
    workers = len(slots) or _most_at_once(spans)
    # The time before the first trial starts and after the last one ends is set-up, not idleness.
    present = [_part(span, spans) for span in sessions]
    available = sum(_worker_seconds(part, capacities, workers) for part in present)
    if not available:
        return workers, None
    busy = sum(
        max(0.0, min(end, seen) - max(start, began))
        for start, end in spans
        for began, seen in present
    )
    return workers, max(0.0, 1.0 - busy / available)


def _worker_seconds(
    part: tuple[float, float], capacities: Sequence[tuple[float, int]], workers: int
) -> float:
    """Return the time that workers were there within `part`, all of them together."""
    start, end = part
    known = [(0.0, workers if not capacities else capacities[0][1]), *capacities]
    until = [at for at, _ in known[1:]] + [end]
    spans = zip(known, until, strict=True)
    return sum(n * max(0.0, min(end, to) - max(start, at)) for (at, n), to in spans)


def _part(session: tuple[float, float], spans: Sequence[tuple[float, float]]):
    """Return the part of a session from its first trial's start to its last one's end."""
    began, seen = session
    inside = [(start, end) for start, end in spans if start < seen and end > began]
    if not inside:
        return began, began
    return max(began, min(s for s, _ in inside)), min(seen, max(e for _, e in inside))


def _most_at_once(spans: Sequence[tuple[float, float]]) -> int:
    moments = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value that `share` of `values` do not exceed; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
