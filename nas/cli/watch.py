"""`nas watch`: a run, live in a terminal; JSON lines elsewhere."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.look import status_lines
from nas.cli.printing import console, echo
from nas.cli.run_path import RUN
from nas.evaluation.measured import values_of
from nas.printable import printable
from nas.runs.directory import Run, open_run
from nas.runs.rows import readable
from nas.runs.status import run_status
from nas.runs.unmet import exit_code
from search_spaces.errors import quoted

if TYPE_CHECKING:
    from rich.console import Group

# A driver that has been silent this long while we watch will not come back by itself.
_GONE_SECONDS = 120.0


@click.command()
@RUN
@click.option(
    "--every", type=click.FloatRange(0.1), default=1.0, show_default=True, help="Seconds."
)
def watch(run: Path, every: float) -> None:
    """Watch RUN until it ends: progress, workers, the front, the best. Ctrl-C leaves it running.

    The exit code is the one the search itself has: 0 done, 2 done but no trial meets the
    constraints, 3 budget reached, 4 interrupted, 5 too many failures. Where the output is no
    terminal, one line of JSON for each change.
    """
    opened = open_run(run)
    try:
        state = _live(opened, every) if sys.stdout.isatty() else _lines(opened, every)
    except KeyboardInterrupt:
        echo(f"You left. The search goes on; look again with: nas watch {quoted(run)}", err=True)
        return
    sys.exit(exit_code(opened, state, default=4))


def _over(summary: dict[str, Any], run: Run) -> bool:
    seen = run.journal.last_seen() or 0.0
    if summary["state"] == "interrupted":
        return time.time() - seen > _GONE_SECONDS
    return summary["state"] != "running"


def _lines(run: Run, every: float) -> str:
    """Print a line of JSON whenever a count changes; return the last state."""
    before = None
    while True:
        summary = run_status(run)
        now = {key: summary[key] for key in ("state", "done", "running", "failed", "warning")}
        if now != before:
            echo(json.dumps({"event": "status", **summary}))
            before = now
        if _over(summary, run):
            return summary["state"]
        time.sleep(every)


def _live(run: Run, every: float) -> str:
    """Redraw the terminal until the run ends; return the last state."""
    from rich.live import Live

    summary = run_status(run)
    with Live(_screen(run, summary), console=console(), refresh_per_second=4) as live:
        while not _over(summary, run):
            time.sleep(every)
            summary = run_status(run)
            live.update(_screen(run, summary))
    return summary["state"]


def _screen(run: Run, summary: dict[str, Any]) -> "Group":
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    ended = summary["done"] + summary["failed"]
    bar = Table.grid(padding=(0, 1))
    planned = summary["planned"] + summary["promotions"]
    bar.add_row(
        ProgressBar(total=max(1, planned), completed=ended, width=40), Text(f"{ended}/{planned}")
    )
    records = run.journal.trials()
    with readable(f"The record of {str(run.directory)!r}"):
        return _together(bar, summary, records, run)


def _together(bar: Any, summary: dict[str, Any], records: list[dict[str, Any]], run: Run) -> Any:
    from rich.console import Group
    from rich.text import Text

    return Group(
        bar,
        Text(printable("\n".join(status_lines(summary)))),
        Text(),
        Text(
            printable("\n".join(_running(records, time.time() - run.journal.clock_shift()))),
            no_wrap=True,
            overflow="ellipsis",
        ),
        Text(),
        Text(printable("\n".join(_front(records, run.objectives)))),
    )


def _running(records: list[dict[str, Any]], now: float = 0.0) -> list[str]:
    """Return a line for each trial at work, and for the one that ended last."""
    from search_spaces import Architecture

    lines = []
    for record in (r for r in records if r["status"] == "running"):
        slot = "worker" if record["worker"] is None else f"worker {record['worker']}"
        passed = now - record["started_at"]
        what = Architecture.from_dict(record["architecture"]).describe()
        lines.append(f"{slot:<10} trial {record['trial']:<4} {passed:6.0f} s  {what}")
    ended = [r for r in records if r["finished_at"]]
    if ended:
        last = max(ended, key=lambda r: r["finished_at"])
        how = last["cause"] or "  ".join(f"{n} {v:.3f}" for n, v in last["scores"].items())
        lines.append(f"{'latest':<10} trial {last['trial']:<4} {last['status']}: {how}")
    return lines or ["No trial has started yet."]


def _front(records: list[dict[str, Any]], objectives: dict[str, str]) -> list[str]:
    from nas.pareto.fronts import non_dominated_rows
    from nas.report.front_text import front_text

    names = list(objectives)
    score, cost = names[0], names[1] if len(names) > 1 else "parameters"
    done = [r for r in records if r["status"] == "done"]
    highest = max((r["fidelity"] for r in done), default=1.0)
    values = [values_of(r, seconds=True) for r in done if r["fidelity"] == highest]
    rows = [[v[n] for n in names] for v in values]
    front = set(non_dominated_rows(rows, list(objectives.values())))
    points = [(v[cost], v[score], i in front) for i, v in enumerate(values) if cost in v]
    return front_text(points, across=cost, up=score)
