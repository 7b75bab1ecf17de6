"""Rows of facts on a terminal, as they are: for tables that are no table of trials."""

from collections.abc import Mapping, Sequence
from typing import Any

from nas.cli.console_table import print_cells


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print `columns` of `rows`; a column without any value is left out."""
    shown = [name for name in columns if any(row.get(name) is not None for row in rows)]
    words = [name for name in shown if any(isinstance(row.get(name), str) for row in rows)]
    print_cells(shown, [[_cell(row.get(name)) for name in shown] for row in rows], left=words)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, float):
        if value.is_integer() and abs(value) >= 1000:
            return f"{value:,.0f}"
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
