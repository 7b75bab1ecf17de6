"""Names of the files of an exported folder, and writing them whole or not at all."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.whole_files import whole_folder
from search_spaces.documents import read_json_file
from search_spaces.errors import NasError, NotAModel
from search_spaces.operations import is_whole

FORMAT = 1  # of a folder; a later one says so in its configuration, as "nas_format"
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
ARCHITECTURE, TOKENIZER, CHECKSUMS = "architecture.json", "tokenizer.json", "checksums.json"
# Names of files below a folder: no part of them is empty, "." or "..".
_INSIDE = re.compile(r"(?!/)(?:(?:^|/)(?!\.{1,2}(?:/|$))[^/\x00-\x1f]+)+")
TASK = "task.json"  # what a user's own task is: its columns, classes, metrics
ONNX, QUANTIZED, EXPORTED = "model.onnx", "model.int8.onnx", "model.pt2"


def write_text(path: Path, text: str) -> None:
    """Write `text` with one line break at its end."""
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


@contextmanager
def written_at_once(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` if nothing is raised.

    Raises:
        NasError: The folder exists, or its parent cannot be written to.
    """
    if folder.exists():
        raise NasError(f"{folder} exists already. Choose another folder, or remove it first.")
    try:
        with whole_folder(folder) as partial:
            yield partial
    except OSError as error:
        raise NasError(
            f"Cannot write in {folder.parent}: {error}. Choose another folder."
        ) from None


def write_checksums(folder: Path) -> None:
    """Write SHA-256 and size of every file under `folder` into its checksums.json."""
    entries = {
        path.relative_to(folder).as_posix(): {"sha256": _digest(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CHECKSUMS
    }
    write_text(folder / CHECKSUMS, json.dumps(entries, indent=1))


def read_checksums(folder: Path) -> dict[str, dict[str, object]]:
    """Return what checksums.json says of each file.

    Raises:
        NotAModel: There is none, or it cannot be read.
    """
    path = folder / CHECKSUMS
    if not path.exists():
        raise NotAModel(
            f"{folder} has no {CHECKSUMS}, so its files cannot be trusted. Export the model again."
        )
    entries = read_json_file(path, NotAModel)
    if not isinstance(entries, dict):
        raise NotAModel(f"{path} cannot be read: it is no JSON object. Export the model again.")
    for name, entry in entries.items():
        if not _INSIDE.fullmatch(name):
            raise NotAModel(
                f"{path} names the file {name!r:.100}, which is none inside the folder. Export the "
                "model again."
            )
        if not (isinstance(entry, dict) and isinstance(entry.get("sha256"), str)) or not is_whole(
            entry.get("bytes")
        ):
            raise NotAModel(
                f"{path} does not say sha256 and bytes of {name!r:.100}. Export the model again."
            )
    return entries


def file_problem(folder: Path, name: str, entry: dict[str, object]) -> str | None:
    """Return what is wrong with one file, or None where it is as it was written."""
    path = folder / name
    if not path.is_file():
        return f"{path} is missing"
    size = path.stat().st_size
    if size != entry["bytes"]:
        return f"{path} has {size:,} bytes instead of {entry['bytes']:,}: it was cut or changed"
    if _digest(path) != entry["sha256"]:
        return f"{path} is not the file that was exported: its checksum differs"
    return None


def verify(folder: Path, *names: str) -> None:
    """Check the files called `names` against checksums.json.

    Raises:
        NotAModel: A file is missing, cut short or changed.
    """
    entries = read_checksums(folder)
    for name in names:
        if name not in entries:
            raise NotAModel(f"{folder / CHECKSUMS} does not list {name}. Export the model again.")
        problem = file_problem(folder, name, entries[name])
        if problem:
            raise NotAModel(f"{problem}. Copy the folder or export the model again.")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_export(folder: Path) -> bool:
    """Whether a folder is one that this project exported, and not of another kind of model."""
    return (folder / ARCHITECTURE).is_file() or not (folder / CONFIG).is_file()
