"""Removes files that a run no longer needs, beside the search, which never waits for it."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nas.addresses import without_secrets
from nas.runs.storage import Storage

# Names of this long are removed together: a search may end hundreds of trials a second.
_GATHER_SECONDS = 1.0
# From so many names on, as when a run is resumed, it pays to look first which of them exist.
_MANY = 20
_log = logging.getLogger(__name__)


class Sweeper:
    """Removes names from a run's storage, and from its directory where weights came back to it.

    Args:
        storage: Where the run's files live; None where only the directory holds any.
        directory: The run.
    """

    def __init__(self, storage: Storage | None, directory: Path):
        self._storage, self._directory = storage, directory
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sweeping")
        self._names: list[str] = []
        self._lock, self._closing = threading.Lock(), threading.Event()

    def remove(self, names: Sequence[str]) -> None:
        """Have `names` removed soon; one that is absent is no error."""
        if not names:
            return
        with self._lock:
            first = not self._names
            self._names += names
        if first:
            self._thread.submit(self._sweep)

    def _sweep(self) -> None:
        self._closing.wait(_GATHER_SECONDS)
        with self._lock:
            names, self._names = self._names, []
        self._remove(names)

    def _remove(self, names: Sequence[str]) -> None:
        own = Storage(str(self._directory.resolve()))
        for place in {own, self._storage or own}:
            for name in names if len(names) < _MANY else _there(place, names):
                try:
                    place.remove(name)
                except Exception as error:  # noqa: BLE001  a file too many stops no search
                    _log.warning(
                        "%s/%s could not be removed: %s",
                        place.shown,
                        name,
                        without_secrets(str(error)),
                    )

    def close(self) -> None:
        """Wait until everything is removed."""
        self._closing.set()
        self._thread.shutdown(wait=True)


def _there(place: Storage, names: Sequence[str]) -> list[str]:
    """Return those of `names` that exist, as a file or as a folder with a file."""
    found: set[str] = set()
    for folder in {name.partition("/")[0] for name in names}:
        for name in place.sizes(folder):
            found |= {name, name.rpartition("/")[0]}
    return [name for name in names if name in found]
