"""Opens a record to be read, also where the reader may write nothing.

SQLite keeps two files beside a record that is written ("-wal", "-shm") and makes them even to read
it. A reader who may not, as of a colleague's run or on a medium that is read-only, reads a copy.
"""

import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

_BESIDE = ("-wal", "-journal")
_TIMEOUT_SECONDS = 30


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write to the record at `path`.

    Raises:
        sqlite3.Error: There is no record, or it is damaged.
        OSError: It cannot be read, or a copy that is needed cannot be made.
    """
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_TIMEOUT_SECONDS
    )
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        return connection
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in (
            sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR
        ):  # fmt: skip
            raise
    return _of_copy(path)


def _of_copy(path: Path) -> sqlite3.Connection:
    """Return a connection to what the record and its log hold together, in memory."""
    with tempfile.TemporaryDirectory(prefix="nas-record-") as folder:
        copy = Path(folder) / "run.db"
        shutil.copyfile(path, copy)
        for end in _BESIDE:
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        whole, memory = sqlite3.connect(copy), sqlite3.connect(":memory:")
        try:
            whole.backup(memory)
        except BaseException:
            memory.close()
            raise
        finally:
            whole.close()
    memory.execute("PRAGMA query_only=ON")
    return memory
