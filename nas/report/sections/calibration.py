"""What was predicted when an encoder was proposed, against what came out."""

from statistics import NormalDist

import numpy as np
from scipy.stats import spearmanr

from nas.report import blocks
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot
from surrogates.record import believed

FEWEST = 2
LEVELS = (0.5, 0.9)


@SECTIONS.register("calibration")
def calibration(snapshot: Snapshot) -> Section | None:
    """Return predictions beside outcomes; None where the policy predicts nothing."""
    found = {name: predicted(snapshot, name) for name in snapshot.objectives}
    found = {name: rows for name, rows in found.items() if len(rows["mean"]) >= FEWEST}
    if not found:
        return None
    parts, figures, outside = [], [], 0
    for name, rows in found.items():
        title = column_title(name)
        half = NormalDist().inv_cdf(0.95) * rows["spread"]
        least, most = drawn_range(rows["outcome"])
        outside += int(((rows["mean"] < least) | (rows["mean"] > most)).sum())
        parts.append(
            blocks.scatter(
                {
                    "x": rows["mean"].clip(least, most).tolist(),
                    "y": rows["outcome"].tolist(),
                    "low": (rows["mean"] - half).clip(least, most).tolist(),
                    "high": (rows["mean"] + half).clip(least, most).tolist(),
                    "trial": rows["trial"],
                },
                x=f"predicted {title}",
                y=f"measured {title}",
                title=title,
                diagonal=True,
            )
        )
        figures.append([title, *_figures(rows)])
    columns = ["objective", "trials", "mean error", "root mean square", "rank correlation"]
    columns += [f"inside {level:.0%} interval" for level in LEVELS]
    complete = all(rows["complete"] for rows in found.values())
    spread = (
        "Intervals hold both the model's doubt and the noise between trainings."
        if complete
        else "Where only the model's own doubt was recorded, the noise between trainings is not in "
        "the interval, so fewer outcomes fall inside than its name says."
    )
    first = next(iter(found))
    inside = _inside(found[first], 0.9)
    return Section(
        "Was the surrogate right?",
        f"Predictions were made when an encoder was proposed, before it was trained: {inside} of "
        f"{len(found[first]['mean'])} measured values of {column_title(first)} lie inside their "
        "90 % interval.",
        [
            *parts,
            blocks.table(columns, figures, text_columns=("objective",), title="In numbers"),
            blocks.note(
                f"{spread} In brackets: where the true share lies with 90 % certainty. Encoders "
                "are proposed because they look good, so a mean error below zero (worse than "
                "predicted) is usual."
                + (
                    f" {outside} predicted far outside of what was measured: drawn at the edge, "
                    "counted in the numbers as they were."
                    if outside
                    else ""
                )
            ),
        ],
    )


def drawn_range(outcome: np.ndarray) -> tuple[float, float]:
    """Return what a chart shows: the measured values and as much again on both sides.

    What is never below zero, as a cost is, is not drawn there.
    """
    low, high = float(outcome.min()), float(outcome.max())
    room = (high - low) or abs(high) or 1.0
    return (max(low - room, 0.0) if low >= 0 else low - room), high + room


def predicted(snapshot: Snapshot, name: str) -> dict:
    """Return "mean", "spread", "outcome", each `(n,)`, and "trial" of what was predicted.

    Objectives that are computed exactly are left out: there is nothing to predict. "complete"
    says whether every spread includes the noise between trainings.
    """
    rows, complete = [], True
    for i in snapshot.done:
        proposal, outcome = snapshot.records[i]["proposal"], snapshot.value(i, name)
        mean = believed(proposal, "mean", name)
        epistemic = believed(proposal, "epistemic", name)
        if mean is None or not epistemic or outcome is None:
            continue
        aleatoric = believed(proposal, "aleatoric", name)
        complete = complete and aleatoric is not None
        spread = float(np.hypot(epistemic, aleatoric or 0.0))
        rows.append((mean, spread, outcome, snapshot.records[i]["trial"]))
    mean, spread, outcome, trial = zip(*rows, strict=True) if rows else ((), (), (), ())
    arrays = {"mean": np.array(mean), "spread": np.array(spread), "outcome": np.array(outcome)}
    return {**arrays, "trial": list(trial), "complete": complete}


def wilson(inside: int, total: int, level: float = 0.9) -> tuple[float, float]:
    """Return the interval that holds a share with a certainty, `inside` of `total` seen.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = inside / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total**2)) / (1 + z * z / total)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def _inside(rows: dict, level: float) -> int:
    half = NormalDist().inv_cdf(0.5 + level / 2) * rows["spread"]
    return int((np.abs(rows["outcome"] - rows["mean"]) <= half).sum())


def _figures(rows: dict) -> list:
    errors, total = rows["outcome"] - rows["mean"], len(rows["mean"])
    rho = spearmanr(rows["mean"], rows["outcome"]).statistic if total > 2 else np.nan
    cells = [
        total,
        f"{errors.mean():+.3g}",
        f"{np.sqrt(np.square(errors).mean()):.3g}",
    ]
    cells.append("–" if np.isnan(rho) else f"{rho:.2f}")
    for level in LEVELS:
        inside = _inside(rows, level)
        low, high = wilson(inside, total)
        cells.append(f"{inside / total:.0%} ({low:.0%}–{high:.0%})")
    return cells
