"""A picture of the trials and their Pareto front."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from nas.pareto.fronts import pareto_front
from nas.printable import counted
from nas.report.columns import column_title
from nas.single.beside import WORDS, Beside
from nas.whole_files import whole_file

_MARKS = {
    "teacher": {"s": 110, "marker": "*", "color": "#2f4b7c"},
    "layers": {"s": 60, "marker": "s", "facecolors": "none", "edgecolors": "#2f4b7c"},
    "uniform": {"s": 60, "marker": "D", "facecolors": "none", "edgecolors": "#66a182"},
}


def draw_front(
    trials: pd.DataFrame,
    objectives: dict[str, str],
    path: Path,
    *,
    costs: Sequence[str] = (),
    by_hand: Sequence[Beside] = (),
) -> Path:
    """Draw the first objective against each of the others, one panel each; write a picture.

    Args:
        trials: Finished trials, one a row.
        objectives: Column to direction; with only one, `costs` or the parameters give the x axis.
        path: Where to write; the ending decides the format (png, pdf, svg).
        costs: Columns for the x axes instead of the other objectives.
        by_hand: What takes no search to find, for marks of its own.
    """
    (score, direction), *others = objectives.items()
    axes_of = [(name, objectives.get(name, "min")) for name in costs] or others
    axes_of = axes_of or [("parameters", "min")]
    figure = Figure(figsize=(5.2 * len(axes_of), 4.2), layout="constrained")
    panels = figure.subplots(1, len(axes_of), squeeze=False)[0]
    front = pareto_front(trials, **{score: direction, **dict(axes_of)})
    for panel, (cost, cost_direction) in zip(panels, axes_of, strict=True):
        pair = {score: direction, cost: cost_direction}
        stair = pareto_front(trials, **pair).sort_values(cost)
        panel.scatter(trials[cost], trials[score], s=26, color="#9aa5b1", label="trained")
        panel.scatter(front[cost], front[score], s=40, color="#d1495b", label="on the front")
        where = "post" if cost_direction == "min" else "pre"
        panel.step(stair[cost], stair[score], where=where, color="#d1495b", linewidth=1.2)
        for role, mark in _MARKS.items():
            shown = [one.values for one in by_hand if one.role == role]
            shown = [values for values in shown if {score, cost} <= values.keys()]
            if shown:
                places = [[values[name] for values in shown] for name in (cost, score)]
                panel.scatter(*places, label=WORDS[role], **mark)
        panel.set_xlabel(column_title(cost))
        panel.set_ylabel(column_title(score))
        panel.grid(visible=True, alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False, loc="lower right")
    figure.suptitle(f"{counted(len(trials), 'trained encoder')}, {len(front)} on the Pareto front")
    with whole_file(path, synced=False) as partial:
        figure.savefig(partial, dpi=140, format=path.suffix[1:].lower() or "png")
    return path
