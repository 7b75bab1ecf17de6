"""The trials in any two of their columns, with the Pareto front."""

from nas.report import blocks
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot


@SECTIONS.register("front")
def front(snapshot: Snapshot) -> Section:
    """Return the explorer: the page draws it from the trials themselves."""
    names = list(snapshot.objectives)
    other = next((n for n in names[1:] if n in snapshot.columns), "parameters")
    if other not in snapshot.columns:
        other = next(n for n in snapshot.columns if n != snapshot.score)
    return Section(
        "Pareto front",
        "Each point is a trained encoder; those that no other beats in both columns form the "
        "front. Point at one to see what it is, click it for its graph and scores.",
        [{"type": "explorer", "x": other, "y": snapshot.score}, *_by_hand(snapshot, other)],
    )


def _by_hand(snapshot: Snapshot, other: str) -> list[blocks.Block]:
    """Return a table of what takes no search to find, and of the best one found."""
    if not snapshot.by_hand:
        return []
    names = list(dict.fromkeys((snapshot.score, *snapshot.objectives, other, "parameters")))
    best = max(snapshot.done, key=lambda i: snapshot.sign * snapshot.value(i, snapshot.score))
    trial = f"trial {snapshot.records[best]['trial']}, the best of the search"
    found = {name: snapshot.value(best, name) for name in names}
    rows = [(one.words, one.values) for one in snapshot.by_hand] + [(trial, found)]
    return [
        blocks.table(
            ["", *(column_title(name) for name in names)],
            [[words, *(_shown(values.get(name)) for name in names)] for words, values in rows],
            title="What takes no search: the teacher, layers cut alike, whole layers",
            text_columns=("",),
        )
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else blocks.digits(value)
