"""Ctrl-C once: start nothing more and let the trials in flight end. Twice: stop now."""

import errno
import os
import signal
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from nas.execution.jobs import EngineGone
from search_spaces.errors import quoted


class StopNow(KeyboardInterrupt):
    """Somebody outside wants the end at once; a trial function cannot raise it by accident."""


def meant_for_us(error: KeyboardInterrupt) -> bool:
    """Whether a keyboard interrupt came from outside, and not from a trial function itself."""
    return isinstance(error, StopNow) or signal.getsignal(signal.SIGINT) in _OF_PYTHON


_AT_ONCE = (signal.SIGTERM, signal.SIGHUP)
# Handlers that nobody installed: there every interrupt is taken to be one from outside.
_OF_PYTHON = (signal.default_int_handler, signal.SIG_DFL)


def drop_output_of_closed_terminal() -> bool:
    """Send to nowhere what would be written to a terminal that is gone; return whether one is.

    Every line to it would be an error, and the first of them the end of what is being tidied up.
    """
    gone = []
    for stream in (1, 2):
        try:
            termios.tcgetattr(stream)
        except termios.error as error:  # ENOTTY for a file or a pipe
            if error.args[0] == errno.EIO:
                gone.append(stream)
    if gone:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in gone:
            os.dup2(nowhere, stream)
        os.close(nowhere)
    return bool(gone)


class Interrupts:
    """A context in which the first interrupt is noted and the second raises `StopNow`.

    A request to terminate, as schedulers of clusters send it before they kill, stops at once: what
    comes next would not wait. So does the end of the terminal, unless somebody had it ignored, as
    nohup does. Outside the main thread, where Python allows no handlers, it does nothing.

    Args:
        first: Called at the first interrupt.
    """

    def __init__(self, first: Callable[[], None]):
        self.asked = False
        self._first = first
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *_AT_ONCE):
                if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _put_back(self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            drop_output_of_closed_terminal()
        if self.asked or number in _AT_ONCE:
            raise StopNow
        self.asked = True
        self._first()


@contextmanager
def told_how_to_go_on(directory: Path) -> Iterator[None]:
    """Let an interrupt in the block, whatever was just done for a run, say how to continue.

    So does an engine that dies while it starts.

    Raises:
        StopNow: With words, in the place of any interrupt.
        EngineGone: With more words.
    """
    try:
        yield
    except KeyboardInterrupt:
        if (directory / "run.db").exists():
            words = f"Interrupted. Continue: nas resume {quoted(directory)}"
        else:
            words = "Interrupted before there was a run: nothing is left of it. Start it again."
        raise StopNow(words) from None
    except EngineGone as gone:
        if (directory / "run.db").exists():
            words = f"Finished trials are kept; continue with: nas resume {quoted(directory)}"
        else:
            words = (
                "There was no run yet, and nothing is left of it. Start it again; what this "
                "machine may lack says: nas doctor"
            )
        raise EngineGone(f"{gone}. {words}") from None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the block, which tidies up, come to its own end, unless Ctrl-C insists.

    Who asks for the end there gets it anyway: what was being done is over.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise StopNow
        asked = True

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, *_AT_ONCE)}
    try:
        yield
    finally:
        _put_back(before)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Put back, after the block, the handlers that a library has replaced without being asked."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *_AT_ONCE)}
    try:
        yield
    finally:
        _put_back(before)


def _put_back(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
