"""The tables of a benchmark of policies as CSV, and its pictures."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from nas.benchmarks.jobs import Setting
from nas.benchmarks.policies import Findings
from nas.benchmarks.policy_pictures import draw_coverage, draw_curves, draw_simulations


def write_tables(found: Findings, folder: Path) -> list[Path]:
    """Write each table that is not empty as a CSV with all digits; return the files.

    Values are in the table's own units; a goal never reached is `inf`, or one evaluation beyond
    the budget in the summary's quartiles.
    """
    bound = pd.DataFrame()
    if found.bound is not None:
        flat = pd.json_normalize(
            {
                name: dict(zip(("median", "q1", "q3"), value, strict=True))
                if isinstance(value, tuple)
                else value
                for name, value in asdict(found.bound).items()
            },
            sep="_",
        )
        bound = pd.DataFrame(flat)
    tables = {
        "runs": found.runs,
        "summary": found.summary,
        "paired": found.pairs,
        "curves": found.curves,
        "calibration": found.calibration,
        "rounds": found.rounds,
        "simulation": found.simulations,
        "noise_bound": bound,
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
    title = (
        f"{Path(table.name).stem}: {', '.join(f'{n} {d}' for n, d in protocol.objectives.items())}"
    )
    several = len(protocol.objectives) > 1
    goal = "hypervolume" if several else "regret"
    scale = 1.0 if several else table.points(metric)
    drawn = [
        draw_curves(
            found.curves, folder / f"{goal}.png", goal=goal, title=title, given=given, scale=scale
        )
    ]
    for objective in found.rounds["objective"].unique() if len(found.rounds) else ():
        path = folder / f"coverage-{objective}.png"
        drawn.append(draw_coverage(found.rounds, path, objective=objective, title=title))
    if len(found.simulations):
        drawn.append(draw_simulations(found.simulations, folder / "simulation.png", title=title))
    return drawn
