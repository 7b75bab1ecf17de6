"""The one way to a terminal: what text from outside would have it do is written out.

A message of a trial, a name in a file, an argument may hold colours, a new title for the window, or
what Rich takes for markup. Every command prints with `echo` or on `console()`, which obey none.
"""

import logging
import sys
from typing import TYPE_CHECKING

import click

from nas.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 240  # characters; a pipe has no width of its own


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print `text` as it is, and what a terminal would act on written out.

    Args:
        text: What to print.
        err: To standard error.
        nl: With a line feed at the end.
    """
    click.echo(printable(str(text)), err=err, nl=nl)


def console() -> "Console":
    """Return the terminal, or a pipe that is wide enough for every table; it knows no markup.

    Text from outside goes through `printable` first: Rich passes control characters on.
    """
    from rich.console import Console

    # One stream, for good: a trial that runs in this process has what stands for the output
    # replaced by what remembers its last lines, which hands them on to the live view, which would
    # print them there again, without end.
    found = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if found.is_terminal:
        return found
    return Console(file=sys.stdout, width=_PIPE_WIDTH, highlight=False, markup=False, emoji=False)


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def make_log_printable() -> None:
    """Have what Python prints of the log without any other handler go the same way."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Printable())
