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

    shown = [c for c in table.columns if c not in _HIDDEN and table[c].notna().any()]
    order = ["trial", "hash", *first] if first else shown
    view = Table(box=None, header_style="bold", pad_edge=False)
    columns = [c for c in order if c in shown]
    for name in columns:
        view.add_column(name, justify="left" if name in ("hash", "status") else "right")
    if first:
        view.add_column("architecture", overflow="fold")
    for _, row in table.iterrows():
        cells = [_cell(name, row[name]) for name in columns]
        if first:
            cells.append(Architecture.from_dict(row["architecture"]).describe())
        view.add_row(*cells)
    # A pipe has no width: there the table is as wide as it needs to be.
    console = Console()
    (console if console.is_terminal else Console(width=240)).print(view)
