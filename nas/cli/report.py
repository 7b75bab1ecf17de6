"""`nas report`: a run as one HTML file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nas.cli.output_path import OutputFile
from nas.cli.printing import echo
from nas.cli.run_path import TRUST

if TYPE_CHECKING:
    from nas.runs.directory import Run


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to", "path", type=OutputFile(".html", ".htm"), help="HTML file; default: RUN/report.html."
)
@TRUST
def report(run: Path, path: Path | None, *, trust: bool) -> None:
    """Write RUN as one HTML file that opens in any browser, without a network.

    It has the Pareto front to explore, progress, which choices matter, how good the predictions
    were, what simpler policies would have reached, workers, failures and the environment; of tasks
    of your own where the best one is wrong: by class, what for what, the worst answers.

    \b
    nas report runs/search-1
    nas report runs/search-1 --to first.html
    """  # noqa: D301  click reads \b
    from nas.report.html_report import write_report
    from nas.runs.directory import open_run

    opened = open_run(run)
    if trust:
        opened.trust()
    try:
        written = write_report(opened, path, progress=_say)
    finally:
        _say(None)
    size = written.stat().st_size
    echo(f"Report: {written} ({size / 1e6:.2g} MB). Open it in a browser.")
    for line in mistake_lines(opened):
        echo(line)


def mistake_lines(run: "Run") -> list[str]:
    """Return a line for each of the user's own tasks that says where the best one is wrong."""
    from nas.report.sections.mistakes import summary
    from nas.runs.mistakes import trial_mistakes
    from search_spaces.errors import NasError

    try:
        if not run.experiment.own_tasks:
            return []
        best = run.pick("best")
        found = trial_mistakes(run.directory, best["hash"], float(best["fidelity"])) or {}
    except NasError:  # the report says so
        return []
    return [f"{task}: {summary(one)}" for task, of in found.items() for one in of.values()]


def _say(part: str | None, done: int = 0, of: int = 0) -> None:
    """On a terminal, show in one line what is computed; None clears the line."""
    if sys.stderr.isatty():
        text = "" if part is None else f"{done}/{of}  {part.replace('_', ' ')} …"
        echo(f"\r\x1b[2K{text}", nl=False, err=True)
