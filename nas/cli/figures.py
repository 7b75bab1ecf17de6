"""Tables of figures on a terminal: text in every cell, numbers to the right."""

import pandas as pd

from nas.cli.console_table import print_cells
from nas.cli.printing import console, echo
from nas.printable import printable


def print_figures(
    title: str, table: pd.DataFrame, note: str = "", left: tuple[str, ...] = ()
) -> None:
    """Print `table`, whose cells are text, between its title and a note.

    Columns without a digit go to the left, and those of `left`.
    """
    from rich.text import Text

    console().print(Text(printable(title), style="bold"))
    if len(table):
        words = [c for c in table if not table[c].str.contains(r"\d").any()]
        print_cells(list(table.columns), table.to_numpy().tolist(), left=(*words, *left))
    if note:
        console().print(Text(printable(note)))
    echo()
