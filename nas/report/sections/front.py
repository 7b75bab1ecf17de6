"""The trials in any two of their columns, with the Pareto front."""

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
        [{"type": "explorer", "x": other, "y": snapshot.score}],
    )
