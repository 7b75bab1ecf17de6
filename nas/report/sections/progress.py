"""What the front dominates and the best score, against trials, time and cost."""

from typing import Any

import numpy as np

from nas.report import blocks
from nas.report.columns import column_title
from nas.report.dominated import Box
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot
from surrogates.objectives import sign_of


@SECTIONS.register("progress")
def progress(snapshot: Snapshot) -> Section:
    """Return the curve of the best so far, over four measures of what it took.

    With several objectives that of the dominated share stands before it.
    """
    order = snapshot.in_order_of_end()
    values = snapshot.values(order, snapshot.score)
    best = snapshot.sign * np.maximum.accumulate(snapshot.sign * values)
    axes = spent(snapshot, order)
    keys = {axis["key"]: axis.pop("values") for axis in axes}
    points = {
        "name": "each trial", "kind": "points", "tone": "faint", "x": keys, "y": values.tolist(),
        "trials": [snapshot.records[i]["trial"] for i in order],
    }  # fmt: skip
    curve = {"name": "best so far", "kind": "step", "tone": "strong", "x": keys, "y": best.tolist()}
    reached = int(np.argmax(best == best[-1]))
    title = column_title(snapshot.score)
    said = (
        f"The best {title} is {best[-1]:.4g}, reached with finished trial {reached + 1} of "
        f"{len(order)}, after {_duration(keys['seconds'][reached])}."
    )
    pictures = [blocks.lines([points, curve], x=axes, y=title)]
    shares = _shares(snapshot, order)
    if shares is not None:
        last = int(np.argmax(shares == shares[-1]))
        goals = ", ".join(column_title(name) for name in snapshot.objectives)
        said = (
            f"The front in {goals} dominates {shares[-1]:.3f} of the box between the worst and the "
            f"best of each; finished trial {last + 1} was the last to add to it. {said}"
        )
        volume = {
            "name": "dominated share", "kind": "step", "tone": "strong", "x": keys,
            "y": shares.tolist(),
        }  # fmt: skip
        pictures.insert(0, blocks.lines([volume], x=axes, y="dominated share (hypervolume)"))
    return Section("Progress", said, pictures)


def _shares(snapshot: Snapshot, order: list[int]) -> np.ndarray | None:
    """What the trials so far dominate; None with one objective, or where it says nothing."""
    signed = [
        sign_of(direction) * snapshot.values(order, name)
        for name, direction in snapshot.objectives.items()
    ]
    values = np.stack(signed, axis=1)
    if values.shape[1] < 2 or not np.isfinite(values).all():
        return None
    box = Box.of(values)
    return box.shares(values) if box.size > 0 else None


def spent(snapshot: Snapshot, order: list[int]) -> list[dict[str, Any]]:
    """Return the x axes: what had been spent when each of the finished trials `order` ended.

    What failed or ended below the full fidelity counts too.
    """
    ends = [snapshot.records[i]["finished_at"] for i in order]
    ended = [r for r in snapshot.records if r["finished_at"] is not None]
    ended.sort(key=lambda r: r["finished_at"])
    times = np.array([r["finished_at"] for r in ended])
    worked = np.cumsum([snapshot.spent(r) for r in ended])
    sizes = np.cumsum([r["costs"].get("parameters", 0.0) * r["fidelity"] for r in ended])
    at = np.searchsorted(times, ends, side="right") - 1
    gpu = any("cuda" in (r["device"] or "") for r in ended)
    hours = (worked[at] / 3600).tolist()
    axes = [
        {"key": "trials", "label": "finished trials", "values": list(range(1, len(order) + 1))},
        {
            "key": "seconds",
            "label": "seconds since the start",
            "values": [snapshot.clock(end) for end in ends],
        },
        {
            "key": "hours",
            "label": "GPU-hours" if gpu else "worker-hours (CPU)",
            "values": hours,
        },
        {
            "key": "parameters",
            "label": "parameters trained, all encoders together",
            "values": sizes[at].tolist(),
        },
    ]
    price = snapshot.settings.get("price_per_hour")
    if price:
        money = {"key": "money", "label": "cost, at the price per hour given"}
        axes.append({**money, "values": [hour * price for hour in hours]})
    return axes


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
