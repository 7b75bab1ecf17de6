"""Tables of figures on a terminal: text in every cell, numbers to the right."""

import click
import pandas as pd


def print_figures(
    title: str, table: pd.DataFrame, note: str = "", left: tuple[str, ...] = ()
) -> None:
    """Print `table`, whose cells are text, between its title and a note.

    Columns without a digit go to the left, and those of `left`.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        # A pipe has no width: there the table is as wide as it needs to be.
        console = Console(width=240, highlight=False)
    console.print(Text(title, style="bold"))
    if len(table):
        view = Table(box=None, header_style="bold", pad_edge=False)
        words = [c for c in table if not table[c].str.contains(r"\d").any()]
        for name in table.columns:
            view.add_column(name, justify="left" if name in words or name in left else "right")
        for line in table.to_numpy().tolist():
            view.add_row(*line)
        console.print(view)
    if note:
        console.print(Text(note))
    click.echo()
