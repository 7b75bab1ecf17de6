"""Names of the files of an exported folder, and writing them whole or not at all."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.whole_files import whole_folder
from search_spaces.errors import NasError, NotAModel

FORMAT = 1  # of a folder; a later one says so in its configuration, as "nas_format"
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
ARCHITECTURE, TOKENIZER, CHECKSUMS = "architecture.json", "tokenizer.json", "checksums.json"
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
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        for entry in entries.values():
            entry["sha256"], entry["bytes"]
    except FileNotFoundError:
        raise NotAModel(
            f"{folder} has no {CHECKSUMS}, so its files cannot be trusted. Export the model again."
        ) from None
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise NotAModel(
            f"{path} cannot be read ({type(error).__name__}: {error}). Export the model again."
        ) from None
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
