"""Trials with a part of the training budget, and what their order was worth."""

import numpy as np
from scipy.stats import spearmanr

from nas.printable import counted
from nas.report import blocks
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot

DRAWN = 200  # encoders whose curve is drawn


@SECTIONS.register("fidelities")
def fidelities(snapshot: Snapshot) -> Section | None:
    """Return one row a fidelity, and each encoder's way up; None where there was only one."""
    levels = sorted({record["fidelity"] for record in snapshot.records})
    if len(levels) < 2:
        return None
    reached: dict[str, dict[float, float]] = {}
    for i, record in enumerate(snapshot.records):
        value = snapshot.value(i, snapshot.score)
        if record["status"] == "done" and value is not None:
            reached.setdefault(record["hash"], {})[record["fidelity"]] = value
    rows = [_row(snapshot, reached, levels, at) for at in range(len(levels))]
    title = column_title(snapshot.score)
    climbed = sorted((c for c in reached.values() if len(c) > 1), key=len, reverse=True)[:DRAWN]
    series = [
        {"name": "an encoder", "kind": "line", "tone": "faint", "x": {"fidelity": sorted(curve)},
         "y": [curve[f] for f in sorted(curve)]}
        for curve in climbed
    ]  # fmt: skip
    parts = [
        blocks.table(
            ["share of the budget", "trials", "done", "went on", f"best {title}",
             "median seconds", "rank correlation with the next"],
            rows,
        )
    ]  # fmt: skip
    if series:
        axis = [{"key": "fidelity", "label": "share of the full training budget"}]
        parts.append(blocks.lines(series, x=axis, y=title))
    low = [curve for curve in reached.values() if min(curve) < levels[-1]]
    whole = sum(levels[-1] in curve for curve in low)
    return Section(
        "Fidelities",
        f"{counted(len(low), 'encoder')} {'was' if len(low) == 1 else 'were'} trained with a part "
        f"of the budget first; {whole} of them "
        "got all of it.",
        parts,
    )


def _row(snapshot: Snapshot, reached: dict, levels: list[float], at: int) -> list:
    level = levels[at]
    records = [r for r in snapshot.records if r["fidelity"] == level]
    values = [curve[level] for curve in reached.values() if level in curve]
    further = [c for c in reached.values() if level in c and any(f > level for f in c)]
    seconds = [r["seconds"] for r in records if r["seconds"] is not None]
    after = levels[at + 1] if at + 1 < len(levels) else None
    pairs = [(c[level], c[after]) for c in further if after in c]
    kept = "–"
    if len(pairs) > 3:
        kept = f"{spearmanr(*zip(*pairs, strict=True)).statistic:.2f}"
    best = max(values, key=lambda v: snapshot.sign * v) if values else None
    return [
        f"{level:g}",
        len(records),
        len(values),
        len(further),
        "–" if best is None else blocks.digits(best),
        f"{np.median(seconds):.1f}" if seconds else "–",
        kept,
    ]
