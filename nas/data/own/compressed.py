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
# Text is three to ten times what it is compressed, and tables of few different rows some tens of
# times. Less than this may be anything.
_MOST_TIMES, _UNTOLD = 100, 100_000_000


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
        InvalidData: It cannot be read, is not what its ending says, or unfolds to more than 100 MB
            and more than a hundred times its size.
    """
    try:
        with OPENERS.get(path.suffix.lower(), _plain)(path) as file:
            yield bounded(file, path) if is_compressed(path) else file
    except _DAMAGED as error:
        if not is_compressed(path):
            raise InvalidData(f"{path} cannot be read: {error}") from None
        raise InvalidData(
            f"{path} cannot be decompressed ({error}). Compress the file again, or name it by what "
            "it is."
        ) from None


def bounded(file: BinaryIO, path: Path) -> io.BufferedReader:
    """Return what a compressed file unfolds to, as long as somebody may have written that.

    Args:
        file: What it unfolds to.
        path: The compressed file.
    """
    return io.BufferedReader(_Bounded(file, path), 1 << 20)


class _Bounded(io.RawIOBase):
    def __init__(self, file: BinaryIO, path: Path):
        self._file, self._path, self._size = file, path, 0
        self._most = max(_UNTOLD, _MOST_TIMES * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        piece = self._file.read(len(buffer))
        self._size += len(piece)
        if self._size > self._most:
            raise InvalidData(
                f"{self._path} unfolds to more than {_MOST_TIMES} times its size "
                f"({self._size / 1e6:.0f} MB and more), which nobody would have written. If it is "
                "meant, unpack it and name the unpacked file."
            )
        buffer[: len(piece)] = piece
        return len(piece)


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
