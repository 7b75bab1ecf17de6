"""`nas report`: a run as one HTML file."""

import sys
from pathlib import Path

import click

from nas.cli.output_path import OutputFile
from nas.cli.printing import echo
from nas.cli.run_path import TRUST


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to", "path", type=OutputFile(".html", ".htm"), help="HTML file; default: RUN/report.html."
)
@TRUST
def report(run: Path, path: Path | None, *, trust: bool) -> None:
    """Write RUN as one HTML file that opens in any browser, without a network.

    It has the Pareto front to explore, progress, which choices matter, how good the predictions
    were, what simpler policies would have reached, workers, failures and the environment.

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


def _say(part: str | None, done: int = 0, of: int = 0) -> None:
    """On a terminal, show in one line what is computed; None clears the line."""
    if sys.stderr.isatty():
        text = "" if part is None else f"{done}/{of}  {part.replace('_', ' ')} …"
        echo(f"\r\x1b[2K{text}", nl=False, err=True)
