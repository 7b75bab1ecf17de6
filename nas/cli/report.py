"""`nas report`: a run as one HTML file."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to", "path", type=click.Path(path_type=Path), help="HTML file; default: RUN/report.html."
)
def report(run: Path, path: Path | None) -> None:
    """Write RUN as one HTML file that opens in any browser, without a network.

    It has the Pareto front to explore, progress, which choices matter, how good the predictions
    were, what simpler policies would have reached, workers, failures and the environment.

    \b
    nas report runs/search-1
    nas report runs/search-1 --to first.html
    """  # noqa: D301  click reads \b
    from nas.report.html_report import write_report
    from nas.runs import open_run

    written = write_report(open_run(run), path)
    size = written.stat().st_size
    click.echo(f"Report: {written} ({size / 1e6:.2g} MB). Open it in a browser.")
