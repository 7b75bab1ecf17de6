"""A copy of the record in the storage, so that a lost driver machine loses at most a minute of it.

The record itself stays with the driver: SQLite and network file systems do not go together.
"""

import contextlib
import logging
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from nas.addresses import without_secrets
from nas.runs.storage import Storage

_SECONDS = 60.0
_log = logging.getLogger(__name__)


def copy_record(directory: Path, storage: Storage) -> None:
    """Store a consistent copy of the run's record, also while it is written."""
    source = directory / "run.db"
    if not source.is_file():
        return
    with tempfile.TemporaryDirectory(prefix="nas-record-") as folder:
        copy = Path(folder) / "run.db"
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
            ) as live,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            live.backup(target)
        storage.put(copy, "run.db")
        storage.put(directory / "experiment.yaml", "experiment.yaml")


@contextlib.contextmanager
def copied_record(directory: Path, storage: Storage) -> Iterator[None]:
    """Copy the record once a minute and at the end, where the storage is not the run itself."""
    if storage.folder == directory.resolve():
        yield
        return
    over = threading.Event()

    def copy() -> None:
        try:
            copy_record(directory, storage)
        except Exception as error:  # noqa: BLE001  the search goes on; the next copy may succeed
            _log.warning(
                "The record could not be copied to %s: %s",
                storage.shown,
                without_secrets(str(error)),
            )

    def keep_copying() -> None:
        while not over.wait(_SECONDS):
            copy()

    thread = threading.Thread(target=keep_copying, daemon=True, name="record copies")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        copy()
