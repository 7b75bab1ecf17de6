"""Pictures of a benchmark of policies: regret or hypervolume, coverage, simulated workers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; then dashes.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")
_DASHES = ("-", "--", ":")
Styles = Mapping[str, Mapping[str, str]]
_ROOT = (lambda y: np.sign(y) * np.sqrt(np.abs(y)), lambda y: np.sign(y) * np.square(y))
_REGRETS = (0, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32)  # ticks


def styles_of(policies: Sequence[str]) -> Styles:
    """Return colour and dashes of each policy, so that it looks the same in every picture."""
    looks = [{"color": c, "linestyle": d} for d in _DASHES for c in _COLOURS]
    return {policy: looks[i % len(looks)] for i, policy in enumerate(policies)}


def draw_curves(
    curves: pd.DataFrame,
    path: Path,
    *,
    styles: Styles,
    goal: str,
    title: str,
    given: int,
    scale: float = 1.0,
) -> Path:
    """Draw the median of each policy with a band of quartiles, a panel a batch size.

    Args:
        curves: As in `Findings.curves`.
        path: Where to write; the ending decides the format.
        styles: Of each policy.
        goal: "regret" or "hypervolume".
        title: Of the picture.
        given: Evaluations before the first proposal.
        scale: Factor for the values, such as 100 for points.
    """
    regret = goal == "regret"
    label = f"regret of the best so far{' (points)' if scale == 100 else ''}"
    label = label if regret else "hypervolume (share of the whole table's)"
    figure, panels = _panels(curves["batch"].unique())
    for panel, (batch, group) in zip(panels, curves.groupby("batch", sort=False), strict=True):
        for name, line in group.groupby("policy", sort=False):
            style = styles[name]
            x = line["evaluation"]
            steps = {"drawstyle": "steps-post", "linewidth": 1.8, **style}
            panel.plot(x, scale * line["median"], label=name, **steps)
            low, high = scale * line["q1"], scale * line["q3"]
            panel.fill_between(x, low, high, step="post", color=style["color"], alpha=0.13, lw=0)
        panel.set_title(_plural(batch, "proposal", "at once"), fontsize=10)
        panel.set_xlabel("evaluations" + (f", {given} given ones included" if given else ""))
        first = max(given, 1)
        panel.set_xlim(first, max(curves["evaluation"].max(), first + 1))
        shown = curves[curves["evaluation"] >= first]
        if regret:
            # A root shows 0, which a logarithm cannot, and still spreads the small regrets.
            panel.set_yscale("function", functions=_ROOT)
            highest = max(scale * shown["q3"].max() * 1.05, 1e-9)
            ticks = [t for t in _REGRETS if t <= highest] if scale == 100 else [0, highest]
            panel.set_yticks(ticks, [f"{t:g}" for t in ticks])
            # A little below 0, so that a line at 0 is not the axis.
            panel.set_ylim(-0.0005 * highest, highest)
        else:
            panel.set_ylim(shown["q1"].min() - 0.02, 1.01)
    panels[0].set_ylabel(label)
    return _finish(figure, panels, path, f"{title}\nmedian and quartiles over seeds")


def draw_coverage(
    rounds: pd.DataFrame, path: Path, *, styles: Styles, objective: str, title: str
) -> Path:
    """Draw how often 90 % intervals held the next result, by stretch of the search.

    Args:
        rounds: As in `Findings.rounds`.
        path: Where to write.
        styles: Of each policy.
        objective: Whose predictions.
        title: Of the picture.
    """
    rounds = rounds[rounds["objective"] == objective]
    figure, panels = _panels(rounds["batch"].unique())
    for panel, (batch, group) in zip(panels, rounds.groupby("batch", sort=False), strict=True):
        stretches = list(dict.fromkeys(group["evaluations"]))
        panel.axhspan(0.88, 0.92, color="#9aa5b1", alpha=0.25, linewidth=0)
        panel.axhline(0.9, color="#6b7681", linewidth=1, linestyle=":")
        for name, line in group.groupby("policy", sort=False):
            style = styles[name]
            x = [stretches.index(s) for s in line["evaluations"]]
            panel.plot(x, line["coverage"], marker="o", markersize=4.5, label=name, **style)
        panel.set_xticks(range(len(stretches)), [s.replace("-", "–") for s in stretches])
        panel.set_xlabel("evaluations")
        panel.set_title(_plural(batch, "proposal", "at once"), fontsize=10)
        panel.set_ylim(min(0.5, rounds["coverage"].min() - 0.05), 1.02)
    panels[0].set_ylabel(f"next {objective} inside the 90 % interval (share)")
    return _finish(figure, panels, path, f"{title}\ncoverage of predictions; grey: 0.88 to 0.92")


def draw_simulations(simulations: pd.DataFrame, path: Path, *, styles: Styles, title: str) -> Path:
    """Draw time to the top 1 % and idle workers against the number of workers.

    Args:
        simulations: As in `Findings.simulations`.
        path: Where to write.
        styles: Of each policy.
        title: Of the picture.
    """
    figure, panels = _panels(("time", "waiting"))
    finite = simulations["to_top_seconds"].replace(np.inf, np.nan)
    for name, line in simulations.groupby("policy", sort=False):
        marks: dict[str, Any] = {"marker": "o", "markersize": 4.5, **styles[name]}
        panels[0].plot(line["workers"], finite[line.index] / 3600, label=name, **marks)
        panels[1].plot(line["workers"], 100 * line["idle"], **marks)
    panels[0].set_yscale("log")
    panels[0].set_ylabel("simulated hours to one of the top 1 %")
    panels[1].set_ylabel("worker time without a trial (%)")
    workers = sorted(simulations["workers"].unique())
    for panel in panels:
        panel.set_xscale("log", base=2)
        panel.set_xticks(workers, [str(w) for w in workers])
        panel.set_xlabel("workers")
        panel.minorticks_off()
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    low, high = panels[0].get_ylim()
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if low <= t <= high]
    if len(ticks) > 1:
        panels[0].set_yticks(ticks)
    panels[1].set_ylim(bottom=0)
    return _finish(figure, panels, path, f"{title}\nsimulated workers, median over seeds")


def _plural(count: int, noun: str, rest: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'} {rest}"


def _panels(keys: Sequence) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(0.6 + 4.6 * len(keys), 4.6), layout="constrained")
    return figure, figure.subplots(1, len(keys), squeeze=False, sharey=keys[0] != "time")[0]


def _finish(figure: Figure, panels: np.ndarray, path: Path, title: str) -> Path:
    for panel in panels:
        panel.grid(visible=True, alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    columns = min(len(labels), 3 * len(panels))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=140)
    return path
