"""Tables on a terminal, and choosing rows and columns of them."""

import io
import sys
from pathlib import Path

import click
import pandas as pd

from nas.cli.console_table import print_cells
from nas.cli.printing import console, echo
from nas.evaluation.mean_score import MEANS
from nas.pareto.conditions import rows_where
from nas.printable import counted, printable
from nas.tables.files import json_lines, write_table
from nas.tables.frames import OBJECTS, flat
from nas.tables.trials import CHOSEN
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment, UnknownName

_HIDDEN = (
    "architecture", "flops", "recipe", "attempts", "node", "device", "worker", "continues",
    "spent_seconds", "gpu_seconds", "asked_at", "started_at", "finished_at",
)  # fmt: skip
_TENTHS = ("seconds", "budget_seconds", "peak_memory_mb")
_LEFT = ("hash", "status", "cause", "error")


def select(
    table: pd.DataFrame, *, where: str | None, sort: str | None, directions: dict[str, str]
) -> pd.DataFrame:
    """Return the rows that `where` keeps, sorted by the column `sort`, best first.

    Raises:
        UnknownName: `sort`, or a name in `where`, is no column.
        InvalidExperiment: `where` is no condition over the columns, or `sort` cannot be sorted.
    """
    if where:
        try:
            table = rows_where(table, where)
        except InvalidExperiment as error:
            raise InvalidExperiment(f"--where {error}") from None
    if sort:
        if sort not in table.columns:
            raise UnknownName("column", sort, table.columns)
        if sort in OBJECTS:
            raise InvalidExperiment(f"--sort {sort!r} has no order. Sort by a number or a name.")
        table = table.sort_values(sort, ascending=directions.get(sort) == "min", kind="stable")
    return table


def write_to(table: pd.DataFrame, path: Path) -> None:
    """Write `table` to `path` and say so.

    Raises:
        NasError: The ending is none of .parquet, .csv, .json, or the file cannot be written.
    """
    write_table(table, path)
    echo(f"{counted(len(table), 'row')}: {path}", err=True)


def cell(name: str, value: object) -> str:
    """Return a cell of a table of trials for people, by the name of its column."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return "-"
    if name == "hash":
        return str(value)[:10]
    if name in ("parameters", "flops"):
        return f"{int(value):,}"
    if isinstance(value, float) and name.startswith(CHOSEN):
        return f"{value:.6g}"
    if isinstance(value, float):
        return f"{value:.1f}" if name in _TENTHS else f"{value:.3f}"
    return str(value)


def print_table(table: pd.DataFrame, *, form: str = "table", first: tuple[str, ...] = ()) -> None:
    """Print `table` for people ("table"), or whole as "csv", "json" (a row a line), "parquet".

    Raises:
        InvalidExperiment: Parquet, which is no text, on a terminal.
    """
    if form == "csv":
        echo(flat(table).to_csv(index=False), nl=False)
        return
    if form == "json":
        echo(json_lines(table), nl=False)
        return
    if form == "parquet":
        if sys.stdout.isatty():
            raise InvalidExperiment(
                "Parquet is no text for a terminal. Write it to a file: --to trials.parquet, or "
                "--format parquet > trials.parquet"
            )
        content = io.BytesIO()
        flat(table).to_parquet(content, index=False)
        click.get_binary_stream("stdout").write(content.getvalue())
        return
    # Fidelity says something only where there are several.
    hidden = (*_HIDDEN, "fidelity") if (table["fidelity"] == 1.0).all() else _HIDDEN
    shown = [c for c in table.columns if c not in hidden and table[c].notna().any()]
    order = [c for c in ("trial", "hash", *first) if c in shown] if first else shown
    cells = {name: [cell(name, value) for value in table[name]] for name in order}
    columns, dropped = _fitting(cells, console().width)
    lines = [[cells[name][row] for name in columns] for row in range(len(table))]
    described = ["architecture"] if first else []
    if first:
        for line, architecture in zip(lines, table["architecture"], strict=True):
            line.append(Architecture.from_dict(architecture).describe())
    unbroken = [name for name in columns if name != "error"]
    print_cells([*columns, *described], lines, left=(*_LEFT, *described), unbroken=unbroken)
    if dropped:
        more = f"Not shown for lack of width: {', '.join(dropped)} (--format csv has all)"
        console().print(printable(more))


def _fitting(cells: dict[str, list[str]], width: int) -> tuple[list[str], list[str]]:
    """Return the columns that fit into `width` characters, and those that do not.

    Memory and seconds go first, then task scores from the last, then what was chosen of the recipe;
    what a trial is and its main figures stay.
    """
    columns, dropped = list(cells), []
    needed = {name: max(map(len, (name, *texts))) + 2 for name, texts in cells.items()}
    needed["error"] = min(needed.get("error", 0), 30)
    kept = ("trial", "hash", "status", *MEANS, "parameters", "latency_ms", "cause", "error")
    spare = [c for c in ("peak_memory_mb", "seconds") if c in columns]
    others = [c for c in reversed(columns) if c not in kept and c not in spare]
    spare += sorted(others, key=lambda name: name.startswith(CHOSEN))
    while spare and sum(needed[c] for c in columns) > width:
        dropped.append(spare.pop(0))
        columns.remove(dropped[-1])
    return columns, dropped
