"""`nas status`, `nas trials`, `nas pareto`: reading a run."""

import json
from pathlib import Path
from typing import Any

import click

from nas.cli.offered import COLUMN
from nas.cli.output_path import OutputFile
from nas.cli.printing import echo
from nas.cli.run_path import RUN
from nas.printable import counted
from nas.runs.directory import open_run
from nas.runs.endings import state_line
from search_spaces.errors import InvalidExperiment

FORMAT = click.option(
    "--format", "form", default="table", type=click.Choice(["table", "csv", "json", "parquet"])
)
TO = click.option("--to", type=OutputFile(), help="Write a file instead: .parquet, .csv or .json.")


@click.command()
@RUN
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def status(run: Path, *, as_json: bool) -> None:
    """Print how far RUN is: trials by status, the best so far, workers, time spent and left."""
    from nas.runs.status import run_status

    summary = run_status(open_run(run))
    echo(json.dumps(summary) if as_json else "\n".join(status_lines(summary)))


def status_lines(summary: dict[str, Any]) -> list[str]:
    """Return the status for people, one line a subject."""
    causes = ", ".join(f"{n} {cause}" for cause, n in summary["causes"].items())
    failed = f"{summary['failed']} failed" + (f" ({causes})" if causes else "")
    idle, promotions = summary["idle_percent"], summary["promotions"]
    planned = f"{summary['planned']}" + (f" and {promotions} promotions" if promotions else "")
    lines = {
        "run": summary["run"],
        "state": state_line(summary["state"]),
        "trials": f"{summary['done']} done, {summary['running']} running, "
        f"{summary['queued']} queued, {failed} of {planned}",
        "best": summary["best"] or "none finished yet",
        "front": f"{counted(summary['front'], 'encoder')} that no other beats",
        "workers": f"{summary['workers']}"
        + ("" if idle is None else f", idle {idle:.1f} % of the time"),
    }
    if summary["trials_per_hour"] is not None:
        lines["throughput"] = f"{summary['trials_per_hour']:g} trials an hour"
    if summary["proposal_seconds_p50"] is not None:
        lines["proposals"] = (
            f"{summary['proposal_seconds_p50']:.2f} s each (median), "
            f"{summary['proposal_seconds_p95']:.2f} s (95 % are faster)"
        )
    gpu = f", {summary['spent_gpu_hours']:g} GPU hours" if summary["spent_gpu_hours"] else ""
    lines["spent"] = (
        f"{_clock(summary['elapsed_seconds'])} of searching, "
        f"{_clock(summary['spent_seconds'])} of training{gpu}, {summary['weights_mb']:g} MB"
    )
    if summary["left_seconds"] is not None:
        lines["left"] = f"about {_clock(summary['left_seconds'])}"
    if summary["warning"]:
        lines["WARNING"] = summary["warning"]
    return [f"{name:<12} {value}" for name, value in lines.items()]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@click.command()
@RUN
@FORMAT
@click.option("--sort", type=COLUMN, help="Column to sort by; the best (or largest) first.")
@click.option("--where", help='Keep rows for which this holds: "parameters < 2e5 and glue > .6".')
@TO
def trials(run: Path, form: str, sort: str | None, where: str | None, to: Path | None) -> None:
    """Print the trials of RUN, one a row.

    \b
    nas trials runs/search-1 --sort glue --where "parameters < 2e5"
    nas trials runs/search-1 --where "status == 'failed'" --format json
    nas trials runs/search-1 --to trials.parquet
    """  # noqa: D301  click reads \b
    from nas.cli.tables import print_table, select, write_to

    opened = open_run(run)
    table = select(opened.trials(), where=where, sort=sort, directions=opened.objectives)
    if to is not None:
        write_to(table, to)
        return
    print_table(table, form=form)


@click.command()
@RUN
@click.option("--objective", "-o", help="Such as glue:max,latency_ms:min; default: the run's own.")
@click.option("--x", "across", help="Column of the horizontal axis, such as latency_ms.")
@click.option("--y", "up", help="Column of the vertical axis, such as glue.")
@click.option("--where", "-w", multiple=True, help="Only trials such as 'parameters < 2e5'.")
@FORMAT
@click.option(
    "--plot", type=OutputFile(".png", ".pdf", ".svg"), help="Write a picture (png, pdf, svg)."
)
@TO
def pareto(
    run: Path,
    objective: str | None,
    across: str | None,
    up: str | None,
    where: tuple[str, ...],
    form: str,
    plot: Path | None,
    to: Path | None,
) -> None:
    """Print the trials of RUN that no other trial beats in every objective.

    --x and --y say in a word what -o says in full: the front of these two columns, each the way
    that the run or common sense has it (scores up, costs down).

    \b
    nas pareto runs/search-1
    nas pareto runs/search-1 --x latency_ms --y glue --plot front.png
    nas pareto runs/search-1 -o glue:max,peak_memory_mb:min -w "parameters < 3e5"
    """  # noqa: D301  click reads \b
    from nas.cli.tables import print_table, write_to
    from nas.pareto.fronts import constrained

    opened = open_run(run)
    objectives = _objectives(opened, objective, across, up)
    front = opened.pareto(constraints=where, **objectives)
    if to is not None:
        write_to(front, to)
    else:
        print_table(front, form=form, first=tuple(objectives))
    if plot is not None:
        from nas.report.front_picture import draw_front
        from nas.single.beside import beside

        shown = constrained(opened.finished(), where)
        draw_front(shown, objectives, plot, by_hand=beside(opened))
        echo(f"Picture: {plot}", err=True)


def _objectives(
    opened: Any, objective: str | None, across: str | None, up: str | None
) -> dict[str, str]:
    from nas.config import COSTS, parse_objectives

    if objective and (across or up):
        raise InvalidExperiment("Give either -o, or --x and --y, not both.")
    if objective:
        return parse_objectives(objective)
    if not across and not up:
        return opened.objectives
    first, *_ = opened.objectives
    names = [up or first, across or next((n for n in opened.objectives if n != up), "parameters")]
    if names[0] == names[1]:
        raise InvalidExperiment(f"--x and --y are both {names[0]!r}. Give two columns.")
    return {n: opened.objectives.get(n, "min" if n in COSTS else "max") for n in names}
