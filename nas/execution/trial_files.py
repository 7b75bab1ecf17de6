"""The files of one trial while it runs: its checkpoint, its weights, its parent's weights.

In a folder that the worker reaches they are used where they are. For a URI they are in a temporary
folder, and what changes in the checkpoint is copied to the storage while the trial runs.
"""

import contextlib
import logging
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nas.addresses import without_secrets
from nas.runs.storage import Storage, weights_name

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialFiles:
    """Local paths for a trial.

    Attributes:
        weights: Where it writes its weights.
        checkpoint: The folder of its state, or None where none can be kept.
        parent: The weights it starts from, or None.
    """

    weights: Path
    checkpoint: Path | None
    parent: Path | None


@contextlib.contextmanager
def trial_files(
    storage: Storage | None, digest: str, fidelity: float, parent: str | None, seconds: float
) -> Iterator[TrialFiles]:
    """Provide a trial's files; without an error, its weights are in the storage afterwards.

    Args:
        storage: Where they live; None if the worker reaches no place in common.
        digest: The architecture's hash.
        fidelity: The trial's.
        parent: Hash of the architecture whose weights it starts from, or None.
        seconds: How often the checkpoint is copied to a URI.
    """
    name = weights_name(digest, fidelity)
    if storage is not None and storage.folder is not None:
        (storage.folder / name).parent.mkdir(parents=True, exist_ok=True)
        checkpoint = storage.folder / "checkpoints" / digest
        source = None if parent is None else _parent_name(storage, parent)
        path = None if source is None else storage.folder / source
        yield TrialFiles(storage.folder / name, checkpoint, path)
        return
    with tempfile.TemporaryDirectory(prefix="nas-trial-") as text:
        folder = Path(text)
        if storage is None:
            yield TrialFiles(folder / "weights.safetensors", None, None)
            return
        local = folder / "checkpoint"
        local.mkdir()
        for there in storage.sizes(f"checkpoints/{digest}"):
            storage.get(there, local / Path(there).name)
        path = None
        source = None if parent is None else _parent_name(storage, parent)
        if source is not None and storage.get(source, folder / "parent.safetensors"):
            path = folder / "parent.safetensors"
        weights = folder / "weights.safetensors"
        with _copied(local, storage, f"checkpoints/{digest}", seconds):
            yield TrialFiles(weights, local, path)
        if weights.is_file():
            storage.put(weights, name)


def _parent_name(storage: Storage, digest: str) -> str | None:
    """Return the name of an architecture's weights at its highest fidelity, or None."""
    whole = weights_name(digest)
    if storage.folder is not None and (storage.folder / whole).is_file():
        return whole
    found = [n for n in storage.sizes("weights") if n.startswith(f"weights/{digest}")]
    if whole in found:
        return whole
    return max(
        found, key=lambda n: float(n.rpartition("@")[2].removesuffix(".safetensors")), default=None
    )


@contextlib.contextmanager
def _copied(local: Path, storage: Storage, name: str, seconds: float) -> Iterator[None]:
    """Copy each file of `local` to the storage when it has changed, until the block ends."""
    over, sent = threading.Event(), {p.name: p.stat().st_mtime_ns for p in local.iterdir()}

    def copy() -> None:
        present = {p.name: p for p in local.iterdir() if not p.name.startswith(".")}
        for gone in [kept for kept in sent if kept not in present]:
            storage.remove(f"{name}/{gone}")
            del sent[gone]
        for file, path in present.items():
            changed = path.stat().st_mtime_ns
            if sent.get(file) != changed:
                storage.put(path, f"{name}/{file}")
                sent[file] = changed

    def keep_copying() -> None:
        while not over.wait(min(seconds, 10.0)):
            try:
                copy()
            except Exception as error:  # noqa: BLE001  the trial goes on; the next copy may succeed
                _log.warning(
                    "The checkpoint could not be copied to %s: %s",
                    storage.shown,
                    without_secrets(str(error)),
                )

    thread = threading.Thread(target=keep_copying, daemon=True, name="checkpoint copies")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(OSError):
            copy()
