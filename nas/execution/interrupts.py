"""Ctrl-C once: start nothing more and let the trials in flight end. Twice: stop now."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """A context in which the first interrupt is noted and the second raises KeyboardInterrupt.

    A request to terminate, as schedulers of clusters send it before they kill, stops at once: what
    comes next would not wait. Outside the main thread, where Python allows no handlers, it does
    nothing.

    Args:
        first: Called at the first interrupt.
    """

    def __init__(self, first: Callable[[], None]):
        self.asked = False
        self._first = first
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked or number == signal.SIGTERM:
            raise KeyboardInterrupt
        self.asked = True
        self._first()
