"""Tables on a terminal: text in every cell, as wide as the terminal, or as needed in a pipe."""

from collections.abc import Collection, Iterable, Sequence

from nas.cli.printing import console
from nas.printable import printable


def print_cells(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: Collection[str] = (),
    unbroken: Collection[str] = (),
) -> None:
    """Print rows of text below the names of their columns.

    Args:
        columns: Names, left to right.
        rows: A text for each column.
        left: Columns that start at the left; numbers end at the right.
        unbroken: Columns whose texts are cut instead of going on in the next line.
    """
    from rich.table import Table

    view = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        view.add_column(
            printable(name),
            justify="left" if name in left else "right",
            overflow="fold",
            no_wrap=name in unbroken,
        )
    for row in rows:
        view.add_row(*map(printable, row))
    console().print(view)
