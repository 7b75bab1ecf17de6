"""The tables of a benchmark of policies as CSV, and its pictures."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from nas.benchmarks.jobs import Setting
from nas.benchmarks.policies import Findings
from nas.benchmarks.policy_pictures import draw_coverage, draw_curves, draw_simulations, styles_of


def write_tables(found: Findings, folder: Path) -> list[Path]:
    """Write each table that is not empty as a CSV with all digits; return the files.

    Values are in the table's own units; a goal never reached is `inf`, or one evaluation beyond
    the budget in the summary's quartiles.
    """
    bound: dict[str, float] = {}
    for name, value in asdict(found.bound).items() if found.bound else ():
        if isinstance(value, tuple):
            bound |= dict(zip((name, f"{name}_q1", f"{name}_q3"), value, strict=True))
        else:
            bound[name] = value
    tables = {
        "runs": found.runs,
        "summary": found.summary,
        "paired": found.pairs,
        "curves": found.curves,
        "calibration": found.calibration,
        "rounds": found.rounds,
        "simulation": found.simulations,
        "noise_bound": pd.DataFrame([bound] if bound else []),
    }
    written = []
    for name, table in tables.items():
        if not table.empty:
            written.append(folder / f"{name}.csv")
            table.to_csv(written[-1], index=False)
    return written


def draw_pictures(found: Findings, setting: Setting, folder: Path) -> list[Path]:
    """Draw what was measured; return the files."""
    table, protocol = setting.table, setting.protocol
    given = len(protocol.given(table, 0))
    metric = next(iter(protocol.objectives))
    words = {"max": "highest", "min": "lowest"}
    goals = ", ".join(f"{words[d]} {name}" for name, d in protocol.objectives.items())
    title = f"{Path(table.name).stem}: {goals}"
    several = len(protocol.objectives) > 1
    goal = "hypervolume" if several else "regret"
    scale = 1.0 if several else table.points(metric)
    look = {"styles": styles_of(list(found.summary["policy"].unique())), "title": title}
    path = folder / f"{goal}.png"
    drawn = [draw_curves(found.curves, path, goal=goal, given=given, scale=scale, **look)]
    for objective in found.rounds["objective"].unique() if len(found.rounds) else ():
        path = folder / f"coverage-{objective}.png"
        drawn.append(draw_coverage(found.rounds, path, objective=objective, **look))
    if len(found.simulations):
        drawn.append(draw_simulations(found.simulations, folder / "simulation.png", **look))
    return drawn
