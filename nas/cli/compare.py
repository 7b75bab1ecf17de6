"""`nas compare`: runs beside each other."""

import json
from pathlib import Path
from typing import Any

import click

from nas.cli.printing import echo
from nas.cli.run_path import RunPath
from search_spaces.errors import InvalidExperiment


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunPath())
@click.option(
    "--objective", "-o", help="Such as glue:max,latency_ms:min; default: those in common."
)
@click.option(
    "--unranked",
    is_flag=True,
    help="Beside each other only: for runs measured differently.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def compare(
    runs: tuple[Path, ...], objective: str | None, *, unranked: bool, as_json: bool
) -> None:
    """Compare RUNS: hypervolume by one reference, best, front, budget, settings that differ.

    Runs whose tasks, data, recipe or fidelity differ are not ranked by what was trained.

    \b
    nas compare runs/search-1 runs/search-2
    nas compare runs/* -o glue:max,latency_ms:min
    """  # noqa: D301  click reads \b
    from nas.config import parse_objectives
    from nas.runs.comparison import compare_runs
    from nas.runs.several import open_runs
    from nas.tables.files import json_lines

    if len(runs) < 2:
        raise InvalidExperiment(
            f"Only the run {str(runs[0])!r} was given. Give two or more: nas compare RUN RUN"
        )
    objectives = parse_objectives(objective) if objective else None
    found = compare_runs(open_runs(runs), objectives, ranked=not unranked)
    if as_json:
        for name in ("summary", "fronts", "progress", "attained"):
            found[name] = [json.loads(row) for row in json_lines(found[name]).splitlines()]
        echo(json.dumps(found))
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    from nas.cli.figures import print_figures
    from nas.cli.tables import cell
    from nas.cli.why import number
    from nas.tables.trials import CHOSEN

    goals = ", ".join(f"{name} {direction}" for name, direction in found["objectives"].items())
    summary = found["summary"].set_index("run").T
    if not found["ranked"]:
        summary = summary.drop(index=["hypervolume", "on_common_front"])
    summary.insert(0, "", summary.index)
    for name in summary.columns[1:]:
        summary[name] = [_cell(key, v, number) for key, v in summary[name].items()]
    reference = ", ".join(f"{n} {number(v)}" for n, v in found["reference"].items())
    ideal = ", ".join(f"{n} {number(v)}" for n, v in found["ideal"].items())
    note = f"Hypervolume: the share of the box from ({reference}) to ({ideal}), over all runs."
    if not found["ranked"]:
        note = "Not ranked: each run stands for itself."
    print_figures(f"Runs by {goals}", summary.astype(str), note, left=("",))
    fronts = found["fronts"]
    chosen = [name for name in fronts.columns if name.startswith(CHOSEN)]
    columns = ["run", "trial", *found["objectives"], *chosen, "on_common_front"]
    shown = fronts[columns].copy()
    for name in chosen:
        shown[name] = [cell(name, v) for v in shown[name]]
    for name in found["objectives"]:
        shown[name] = [number(float(v)) for v in shown[name]]
    if found["ranked"]:
        shown["on_common_front"] = ["yes" if v else "no" for v in shown["on_common_front"]]
    else:
        shown = shown.drop(columns="on_common_front")
    print_figures("Their fronts", shown.astype(str), left=("run", "on_common_front"))
    if found["ranked"] and len(found["objectives"]) > 1:
        _print_progress(found["progress"])
        _print_attained(found, number)
    if not found["settings"]:
        echo("The settings are the same.")
        return
    import pandas as pd

    rows = [
        {"setting": key, **{run: _short(value) for run, value in values.items()}}
        for key, values in found["settings"].items()
    ]
    print_figures("Settings that differ", pd.DataFrame(rows), left=tuple(rows[0]))


def _print_progress(progress: Any) -> None:
    """The hypervolume of each run at the quarters of the longest one's time."""
    import pandas as pd

    from nas.cli.figures import print_figures

    end = float(progress["elapsed_seconds"].max())
    rows = []
    for name, part in progress.groupby("run", sort=False):
        row = {"run": str(name)}
        for quarter in range(1, 5):
            moment = end * quarter / 4
            until = part.loc[part["elapsed_seconds"] <= moment, "hypervolume"]
            row[f"{moment:,.0f} s"] = f"{until.max():.3f}" if len(until) else "-"
        rows.append(row)
    print_figures("Hypervolume over time", pd.DataFrame(rows), left=("run",))


def _print_attained(found: dict[str, Any], number: Any) -> None:
    """The best first objective that each run has within bounds of each further one."""
    from nas.cli.figures import print_figures

    score, *_ = found["objectives"]
    for name, part in found["attained"].groupby("objective", sort=False):
        least = found["objectives"][name] == "max"
        shown = part.pivot(index="run", columns="bound", values=score)
        shown = shown.loc[part["run"].unique(), part["bound"].unique()]
        shown = shown.map(lambda value: "-" if value != value else number(float(value)))
        shown.columns = [f"{'≥' if least else '≤'} {number(float(b))}" for b in shown.columns]
        title = f"Best {score} that a run has with {name} of at {'least' if least else 'most'}"
        print_figures(title, shown.reset_index(), left=("run",))


def _cell(key: str, value: Any, number: Any) -> str:
    if isinstance(value, str):
        return value
    if key.endswith("_seconds"):
        return f"{value:,.0f}"
    return f"{value:.3f}" if key == "hypervolume" else number(float(value))


def _short(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
