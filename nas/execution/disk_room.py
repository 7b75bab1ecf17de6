"""Whether the disk has room for another trial; a full one pauses the search, for a while."""

import errno
import resource
import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

# What must be free before a trial starts: its weights, its checkpoint, and rows of the record.
_NEEDED_BYTES = 100_000_000
_LOOK_SECONDS = 1.0
# After an error for want of space, which a quota gives although the disk seems to have some.
_RETRY_SECONDS = 30.0
# How long a full disk is waited for before the search ends, to be resumed.
_PATIENCE_SECONDS = 600.0
# A disk that is full, a quota that is spent, a file that has reached what files may have.
_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskRoom:
    """Says whether a trial may start, and whether waiting for space has become pointless.

    Args:
        folders: Where the run writes; each must exist.
    """

    def __init__(self, folders: Sequence[Path]):
        self._folders = list(dict.fromkeys(folders))
        self._since: float | None = None  # when the trouble began
        self._looked_at = self._not_before = -1e9
        self.lacking: str | None = None  # what to tell people, while there is too little

    def ran_out(self, error: str | None) -> None:
        """Note that something could not be written for want of space."""
        now = time.monotonic()
        self._not_before = now + _RETRY_SECONDS
        self._since = now if self._since is None else self._since
        self.lacking = f"{shortage()} ({error or 'no message'}). {self._free(self._folders[0])}"

    def has_room(self) -> bool:
        """Whether a trial may start now; looks at the disk at most once a second."""
        now = time.monotonic()
        if now < self._not_before or now - self._looked_at < _LOOK_SECONDS:
            return self.lacking is None
        self._looked_at = now
        short = [folder for folder in self._folders if free_bytes(folder) < _NEEDED_BYTES]
        if short:
            self._since = now if self._since is None else self._since
            self.lacking = f"The disk is full. {self._free(short[0])}"
        else:
            self.lacking = None
        return not short

    def wrote(self) -> None:
        """Note that a trial could be kept, so that the trouble is over."""
        if self.lacking is None:
            self._since = None

    @property
    def given_up(self) -> bool:
        """Whether there has been too little for so long that the search should end."""
        waited = None if self._since is None else time.monotonic() - self._since
        return self.lacking is not None and waited is not None and waited >= _PATIENCE_SECONDS

    def _free(self, folder: Path) -> str:
        return (
            f"{folder} has {free_bytes(folder) / 1e6:,.0f} MB free; a trial needs "
            f"{_NEEDED_BYTES / 1e6:,.0f} MB"
        )


def out_of_space(error: BaseException, folder: Path | None = None) -> bool:
    """Whether an error says that a disk is full.

    Args:
        error: Of a file, or of a record in SQLite.
        folder: Where the record is: SQLite may say of a full disk that it cannot be read.
    """
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        nothing_left = folder is not None and free_bytes(folder) < 1 << 20
        unsure = nothing_left or _file_limit() is not None
        return code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and unsure)
    return isinstance(error, OSError) and error.errno in _OF_SPACE


def shortage() -> str:
    """Return in words what there is too little of."""
    limit = _file_limit()
    if limit is None:
        return "The disk is full"
    return f"The disk is full, or files may not grow (ulimit -f: {limit / 1e6:,.1f} MB)"


def _file_limit() -> int | None:
    """Return how many bytes a file of this process may have, or None."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that `folder` is on."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    return shutil.disk_usage(existing).free
