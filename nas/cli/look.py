"""`nas status`, `nas trials`, `nas pareto`: reading a run."""

import json
from pathlib import Path

import click

from nas.runs import open_run
from search_spaces.errors import InvalidExperiment

RUN = click.argument("run", type=click.Path(path_type=Path))


@click.command()
@RUN
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def status(run: Path, *, as_json: bool) -> None:
    """Print how far RUN is: trials by status, the best so far, the front."""
    from nas.run_status import run_status

    opened = open_run(run)
    summary = run_status(opened)
    if as_json:
        click.echo(json.dumps(summary))
        return
    for name, value in summary.items():
        click.echo(f"{name:<12} {value}")


@click.command()
@RUN
@click.option("--format", "form", default="table", type=click.Choice(["table", "csv", "json"]))
@click.option("--sort", help="Column to sort by; the best (or largest) first.")
@click.option("--where", help='Keep rows for which this holds: "parameters < 2e5 and glue > .6".')
def trials(run: Path, form: str, sort: str | None, where: str | None) -> None:
    """Print the trials of RUN, one a row."""
    from nas.cli.tables import print_table, select

    opened = open_run(run)
    table = select(opened.trials(), where=where, sort=sort, directions=opened.objectives)
    print_table(table, form=form)


@click.command()
@RUN
@click.option("--objective", "-o", help="Such as glue:max,latency_ms:min; default: the run's own.")
@click.option("--format", "form", default="table", type=click.Choice(["table", "csv", "json"]))
@click.option("--plot", type=click.Path(path_type=Path), help="Write a picture (png, pdf, svg).")
def pareto(run: Path, objective: str | None, form: str, plot: Path | None) -> None:
    """Print the trials of RUN that no other trial beats in every objective."""
    from nas.cli.tables import print_table
    from nas.config import parse_objectives

    opened = open_run(run)
    objectives = parse_objectives(objective) if objective else opened.objectives
    front = opened.pareto(**objectives)
    print_table(front, form=form, first=tuple(objectives))
    if plot is not None:
        from nas.report.front_picture import draw_front

        if plot.suffix.lower() not in (".png", ".pdf", ".svg"):
            raise InvalidExperiment(
                f"--plot {str(plot)!r} has the ending {plot.suffix!r}. Use .png, .pdf or .svg."
            )
        every = opened.trials()
        draw_front(every[every["status"] == "done"], objectives, plot)
        click.echo(f"Picture: {plot}", err=True)
