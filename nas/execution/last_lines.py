"""The last lines that a trial printed or logged, kept for the record of a failure.

They go on to where they would have gone, and what a terminal would act on goes on written out.
"""

import contextlib
import io
import logging
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import TextIO

from nas.printable import printable

KEPT_LINES = 50
_LONGEST_LINE = 500


class LastLines(io.TextIOBase):
    """A text stream that passes everything on, printable, and remembers the end of it.

    A carriage return is passed on as it is: it only rewrites the line that the trial has begun.

    Args:
        onward: Where the text goes as well.
        lines: What remembers; several streams may share one.
    """

    def __init__(self, onward: TextIO, lines: deque[str]):
        self._onward, self._lines, self._begun = onward, lines, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        # A progress bar rewrites its line with a carriage return; only its last state is kept.
        *whole, self._begun = (self._begun + text).split("\n")
        self._lines.extend(line.rpartition("\r")[2][:_LONGEST_LINE] for line in whole)
        self._begun = self._begun.rpartition("\r")[2][:_LONGEST_LINE]
        self._onward.write("\r".join(printable(part) for part in text.split("\r")))
        return len(text)

    def flush(self) -> None:
        self._onward.flush()

    def fileno(self) -> int:
        return self._onward.fileno()

    def finish(self) -> None:
        """Keep a last line that has no end."""
        if self._begun:
            self._lines.append(self._begun)
            self._begun = ""


@contextlib.contextmanager
def last_lines() -> Iterator[deque[str]]:
    """Collect the last lines written to the output, the errors and the log inside the block."""
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    out, err = LastLines(sys.stdout, lines), LastLines(sys.stderr, lines)
    root = logging.getLogger()
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        # Who has handlers sees the log already; without any, Python itself prints warnings.
        handler = logging.StreamHandler(LastLines(nowhere, lines) if root.handlers else err)
        root.addHandler(handler)
        try:
            yield lines
        finally:
            root.removeHandler(handler)
            out.finish()
            err.finish()
