"""All objectives at once: one axis each, one line for each encoder.

Source: Inselberg, "The plane with parallel coordinates", The Visual Computer 1985.
"""

import numpy as np

from nas.report import blocks
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot
from surrogates.domination.fronts import non_dominated
from surrogates.objectives import sign_of

FEWEST = 3  # objectives: two are a plane already
MOST = 300  # lines of beaten encoders; more hide each other


@SECTIONS.register("trade-offs")
def trade_offs(snapshot: Snapshot) -> Section | None:
    """Return parallel coordinates of the objectives; nothing where a plane shows them all."""
    names = list(snapshot.objectives)
    if len(names) < FEWEST:
        return None
    values = np.stack([snapshot.values(snapshot.done, name) for name in names], axis=1)
    whole = np.isfinite(values).all(axis=1)
    done = [i for i, complete in zip(snapshot.done, whole, strict=True) if complete]
    if not done:
        return None
    values = values[whole]
    signs = np.array([sign_of(snapshot.objectives[name]) for name in names])
    front = non_dominated(values * signs)
    beaten = np.flatnonzero(~front)
    if len(beaten) > MOST:
        beaten = np.sort(np.random.default_rng(0).permutation(beaten)[:MOST])
    rows = [
        {
            "trial": snapshot.records[done[row]]["trial"],
            "values": values[row].tolist(),
            "front": bool(front[row]),
        }
        for row in (*beaten, *np.flatnonzero(front))
    ]
    axes = [{"name": column_title(name), "direction": snapshot.objectives[name]} for name in names]
    return Section(
        "Trade-offs",
        f"One line for each encoder, better is up on every axis. Lines that cross between two axes "
        f"trade one for the other; the {int(front.sum())} of the front in all {len(names)} "
        "objectives are coloured. Click a line to see its encoder.",
        [blocks.parallel(axes, rows)],
    )
