"""Files as bytes, whatever they are compressed with: the last ending says it."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from search_spaces.errors import InvalidData


def _zstandard(path: Path) -> BinaryIO:
    import pyarrow as pa

    return io.BufferedReader(pa.input_stream(str(path), compression="zstd"))


OPENERS: dict[str, Callable[[Path], BinaryIO]] = {
    ".gz": gzip.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
    ".zst": _zstandard,
}
_DAMAGED = (OSError, EOFError, lzma.LZMAError, zlib.error)


def format_of(path: Path) -> str:
    """Return the ending that says the format, in small letters: ".csv" of "train.CSV.gz"."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in OPENERS else suffix


def is_compressed(path: Path) -> bool:
    """Whether the last ending of a file is that of a compression that is read."""
    return path.suffix.lower() in OPENERS


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open the bytes of a file as they were before it was compressed.

    Raises:
        InvalidData: It cannot be read, or is not what its ending says.
    """
    try:
        with OPENERS.get(path.suffix.lower(), _plain)(path) as file:
            yield file
    except _DAMAGED as error:
        if not is_compressed(path):
            raise InvalidData(f"{path} cannot be read: {error}") from None
        raise InvalidData(
            f"{path} cannot be decompressed ({error}). Compress the file again, or name it by what "
            "it is."
        ) from None


def _plain(path: Path) -> BinaryIO:
    return path.open("rb")


def read_text(path: Path) -> str:
    """Return the whole text of a file.

    Raises:
        InvalidData: It cannot be read.
        UnicodeDecodeError: It is no UTF-8.
    """
    with opened(path) as file:
        return bytes(file.read()).decode("utf-8-sig")
