"""Rows of facts on a terminal, as they are: for tables that are no table of trials."""

from collections.abc import Mapping, Sequence
from typing import Any


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print `columns` of `rows`; a column without any value is left out."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=240)  # a pipe has no width
    shown = [name for name in columns if any(row.get(name) is not None for row in rows)]
    view = Table(box=None, header_style="bold", pad_edge=False)
    for name in shown:
        text = any(isinstance(row.get(name), str) for row in rows)
        view.add_column(name, justify="left" if text else "right", overflow="fold")
    for row in rows:
        view.add_row(*(_cell(row.get(name)) for name in shown))
    console.print(view)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, float):
        if value.is_integer() and abs(value) >= 1000:
            return f"{value:,.0f}"
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
