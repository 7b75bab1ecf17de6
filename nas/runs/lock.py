"""One driver a run: the lock, who holds it, and whether that one is still alive."""

import errno
import fcntl
import json
import os
import platform
import time
from pathlib import Path
from typing import Any, TextIO

from search_spaces.errors import RunError, quoted

# A driver notes that it is alive about once a second; on another machine nothing else tells.
_ALIVE_SECONDS = 60.0


def take_lock(directory: Path, last_seen: float | None) -> tuple[TextIO, str | None]:
    """Lock the run in `directory` for this process.

    The operating system gives the lock of a dead process back. Where it cannot say, on a file
    system without locks or from another machine, the name left in the file decides.

    Args:
        directory: The run.
        last_seen: When its driver was last known to be alive, in seconds since the epoch.

    Returns:
        The open file, to be held, and a line about the dead driver that was taken over from.

    Raises:
        RunError: Another process drives this run.
    """
    file = open(directory / "run.lock", "a+")  # noqa: SIM115  held until exit
    holder = _holder(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = not _elsewhere(holder) or _silent(last_seen)
    except OSError as error:
        supported = error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
        free = not supported and _gone(holder, last_seen)
    if not free:
        file.close()
        who = f" (process {holder['process']} on {holder['node']})" if holder else ""
        raise RunError(
            f"Another process is driving the run {str(directory)!r}{who}. "
            f"Wait for it, stop it, or look at it with: nas status {quoted(directory)}"
        )
    file.truncate(0)
    file.write(json.dumps({"process": os.getpid(), "node": platform.node()}))
    file.flush()
    if not holder:
        return file, None
    who = f"process {holder['process']} on {holder['node']}"
    return file, f"Taking over from {who}, which is gone without giving up its lock"


def give_lock(file: TextIO) -> None:
    """Give the lock up."""
    file.truncate(0)
    file.close()


def _holder(file: TextIO) -> dict[str, Any] | None:
    """Return who wrote itself into the file last and did not take itself out again."""
    file.seek(0)
    try:
        found = json.loads(file.read())
        return {"process": int(found["process"]), "node": str(found["node"])}
    except (ValueError, TypeError, KeyError):
        return None


def _elsewhere(holder: dict[str, Any] | None) -> bool:
    return holder is not None and holder["node"] != platform.node()


def _silent(last_seen: float | None) -> bool:
    return last_seen is None or time.time() - last_seen > _ALIVE_SECONDS


def _gone(holder: dict[str, Any] | None, last_seen: float | None) -> bool:
    if holder is None:
        return True
    if _elsewhere(holder):
        return _silent(last_seen)
    try:
        os.kill(holder["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
