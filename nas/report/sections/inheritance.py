"""Which encoders started from another's weights, and whether it paid."""

import numpy as np

from nas.report import blocks
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot

SHOWN = 100  # rows of the table, the newest


@SECTIONS.register("inheritance")
def inheritance(snapshot: Snapshot) -> Section | None:
    """Return parents and children; None where no trial inherited weights."""
    position = {snapshot.records[i]["hash"]: i for i in snapshot.done}
    pairs = []
    for i, record in enumerate(snapshot.records):
        parent = record["proposal"].get("parent")
        if parent is not None:
            pairs.append((i, position.get(parent), record["proposal"].get("overlap")))
    if not pairs:
        return None
    title = column_title(snapshot.score)
    rows, gains, points = [], [], {"x": [], "y": [], "trial": []}
    for child, parent, overlap in pairs:
        value = snapshot.value(child, snapshot.score)
        before = None if parent is None else snapshot.value(parent, snapshot.score)
        gain = None if value is None or before is None else value - before
        rows.append(
            [
                snapshot.records[child]["trial"],
                "–" if parent is None else snapshot.records[parent]["trial"],
                "–" if overlap is None else f"{overlap:.3f}",
                "–" if value is None else blocks.digits(value),
                "–" if gain is None else f"{gain:+.4f}",
            ]
        )
        if gain is not None:
            gains.append(gain)
            if overlap is not None:
                points["x"].append(overlap)
                points["y"].append(gain)
                points["trial"].append(snapshot.records[child]["trial"])
    change = f" The median change of the {title} from parent to child is {np.median(gains):+.4f}."
    parts = [
        blocks.table(
            ["trial", "parent's trial", "overlap", title, "change from the parent"],
            rows[-SHOWN:],
            trial_column="trial",
            title="" if len(rows) <= SHOWN else f"The newest {SHOWN} of {len(rows)}",
        )
    ]
    if points["x"]:
        parts.insert(
            0,
            blocks.scatter(
                points, x="overlap with the parent (share of weights)", y=f"change of the {title}"
            ),
        )
    return Section(
        "Inherited weights",
        f"{len(pairs)} of {len(snapshot.records)} trials started from the weights of an encoder "
        f"that was trained before.{change if gains else ''}",
        parts,
    )
