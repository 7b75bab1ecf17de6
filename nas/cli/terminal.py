"""The process that a command runs in: it writes any text, reserves memory, tidies up at its end."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nas.limits import address_space
from search_spaces.errors import NasError

# Below, libraries that a command needs end in a crash of the interpreter while they are loaded.
_LEAST_ADDRESS_SPACE = 1_000_000_000
_REMEDY = "Lift the limit with 'ulimit -v unlimited', and limit memory by a container instead."


def speakable() -> None:
    """Let both streams write what their encoding lacks as escapes: a dash in ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def endable() -> Iterator[None]:
    """Let a request to terminate, and the end of the terminal, interrupt the block as Ctrl-C does.

    Without, they end the process where it stands, with half-written files and what it has started
    left behind. Whoever has them ignored, as nohup does, is obeyed.
    """
    ours = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)
                ours.append(number)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def require_address_space() -> None:
    """Refuse to begin where the libraries could not even be loaded.

    Raises:
        NasError: With the remedy.
    """
    limit = address_space()
    if limit is not None and limit < _LEAST_ADDRESS_SPACE:
        raise NasError(
            f"The address space of this process is limited to {limit / 1e6:.0f} MB (ulimit -v); "
            f"PyTorch and NumPy reserve more than they use, {_LEAST_ADDRESS_SPACE / 1e6:.0f} MB "
            f"at least. {_REMEDY}"
        )


def out_of_memory(error: BaseException) -> str:
    """Return in words that memory ran out, or could not be reserved, and what to do."""
    limit, said = address_space(), f" ({error})" if str(error) else ""
    if limit is not None:
        return (
            f"The address space of this process, limited to {limit / 1e9:.1f} GB (ulimit -v), is "
            f"used up{said}. {_REMEDY}"
        )
    return (
        f"Memory ran out{said}. Give the machine or its container more, or ask for less: fewer "
        "trials at once (--max-concurrent), smaller data, fewer architectures."
    )
