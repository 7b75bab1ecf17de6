"""Files and folders that are there whole or not at all, whatever interrupts their writing.

They are written under a hidden name beside their place, synced to the disk and renamed: a reader
sees the old content or the new, and a power cut leaves no empty file under the right name.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, content: str | bytes, *, synced: bool = True) -> None:
    """Write `content`, text as UTF-8, to a file; see `whole_file`."""
    with whole_file(path, synced=synced) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """Yield a path to write to, which becomes `path` unless something is raised.

    Args:
        path: Replaced where it exists; its folder must exist.
        synced: Wait until the disk has the content. Without, the file survives a killed process
            but perhaps not a power cut, and costs less than a millisecond.

    Raises:
        OSError: The file cannot be written; `path` is as it was, and nothing lies beside it.
    """
    partial = _beside(path)
    try:
        yield partial
        if synced:
            _sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder to write into, which becomes `folder` unless something is raised.

    Args:
        folder: Must not exist, or be empty; folders above it are made.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    partial = _beside(folder)
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                _sync(file)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _beside(path: Path) -> Path:
    """A name that no other thread, process or machine writes to."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


def _sync(file: Path) -> None:
    with open(file, "rb") as written:
        os.fsync(written.fileno())
