"""Tables on a terminal, and choosing rows and columns of them."""

import json

import click
import pandas as pd

from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment, UnknownName

_HIDDEN = ("architecture", "fidelity", "flops", "recipe", "attempts", "node", "device")


def select(
    table: pd.DataFrame, *, where: str | None, sort: str | None, directions: dict[str, str]
) -> pd.DataFrame:
    """Return the rows that `where` keeps, sorted by the column `sort`, best first.

    Raises:
        UnknownName: `sort` is no column.
        InvalidExperiment: `where` is no condition over the columns.
    """
    if where:
        try:
            # The python engine with no names but the columns: nothing outside the table is seen.
            table = table.query(where, engine="python", local_dict={}, global_dict={})
        except Exception as error:
            raise InvalidExperiment(
                f"--where {where!r} is no condition: {error}. "
                f"Write for instance 'glue > 0.6 and parameters < 2e5'."
            ) from None
    if sort:
        if sort not in table.columns:
            raise UnknownName("column", sort, table.columns)
        table = table.sort_values(sort, ascending=directions.get(sort) == "min")
    return table


def _cell(name: str, value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return "-"
    if name == "hash":
        return str(value)[:10]
    if name in ("parameters", "flops"):
        return f"{int(value):,}"
    if isinstance(value, float):
        return f"{value:.1f}" if name in ("seconds", "peak_memory_mb") else f"{value:.3f}"
    return str(value)


def print_table(table: pd.DataFrame, *, form: str = "table", first: tuple[str, ...] = ()) -> None:
    """Print `table` for people ("table"), or whole as "csv" or "json" (one object a line)."""
    if form == "csv":
        flat = table.assign(architecture=table["architecture"].map(json.dumps))
        click.echo(flat.to_csv(index=False), nl=False)
        return
    if form == "json":
        for row in table.to_dict("records"):
            clean = {k: None if v is pd.NA or v != v else v for k, v in row.items()}
            click.echo(json.dumps(clean))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        # A pipe has no width: there the table is as wide as it needs to be.
        console = Console(width=240)
    shown = [c for c in table.columns if c not in _HIDDEN and table[c].notna().any()]
    order = [c for c in ("trial", "hash", *first) if c in shown] if first else shown
    cells = {name: [_cell(name, value) for value in table[name]] for name in order}
    columns, dropped = _fitting(cells, console.width)
    view = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        left = name in ("hash", "status", "cause", "error")
        view.add_column(name, justify="left" if left else "right", no_wrap=name != "error")
    lines = [[cells[name][row] for name in columns] for row in range(len(table))]
    if first:
        view.add_column("architecture", overflow="fold")
        for line, architecture in zip(lines, table["architecture"], strict=True):
            line.append(Architecture.from_dict(architecture).describe())
    for line in lines:
        view.add_row(*line)
    console.print(view)
    if dropped:
        console.print(f"Not shown for lack of width: {', '.join(dropped)} (--format csv has all)")


def _fitting(cells: dict[str, list[str]], width: int) -> tuple[list[str], list[str]]:
    """Return the columns that fit into `width` characters, and those that do not.

    Memory and seconds go first, then task scores from the last; what a trial is and its main
    figures stay.
    """
    columns, dropped = list(cells), []
    needed = {name: max(map(len, (name, *texts))) + 2 for name, texts in cells.items()}
    needed["error"] = min(needed.get("error", 0), 30)
    kept = ("trial", "hash", "status", "glue", "parameters", "latency_ms", "cause", "error")
    spare = [c for c in ("peak_memory_mb", "seconds") if c in columns]
    spare += [c for c in reversed(columns) if c not in kept and c not in spare]
    while spare and sum(needed[c] for c in columns) > width:
        dropped.append(spare.pop(0))
        columns.remove(dropped[-1])
    return columns, dropped
