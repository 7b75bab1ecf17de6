"""Raw text files to pre-train on, plain or compressed, read line by line."""

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from search_spaces.errors import InvalidData

_LINES_PER_TURN = 64
_PIECE = 1 << 20  # bytes read at once
_LONGEST_LINE = 32_000_000
_LONGEST_PART = 1_000_000  # characters; a tokenizer needs a hundred times that while it reads
_XZ_MEMORY = 200_000_000  # three times what the strongest usual setting asks for


def read_corpus(
    paths: Iterable[str | Path] | str | Path, limit_bytes: int | None = None
) -> Iterator[str]:
    """Return the lines of text files, without blank ones, as an iterator.

    Several files take turns of a few lines, so that a limit leaves something of each. Files
    ending in .xz and .gz are decompressed while they are read.

    Args:
        paths: One file or several.
        limit_bytes: Stop after so many bytes of UTF-8 text; None reads everything.

    Raises:
        InvalidData: A file is missing, empty, damaged or no text. Missing files are reported at
            once, the others when they are read.
    """
    paths = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not paths:
        raise InvalidData("No corpus file was given. Name at least one .txt, .xz or .gz file.")
    for path in paths:
        if not path.is_file():
            what = "is a directory" if path.is_dir() else "does not exist"
            raise InvalidData(f"The corpus {path} {what}. Name a .txt, .xz or .gz file.")
    return _limited(_in_turns([_lines(path) for path in paths]), limit_bytes)


def _limited(lines: Iterator[str], limit_bytes: int | None) -> Iterator[str]:
    left = float("inf") if limit_bytes is None else limit_bytes
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0:
            return
        yield line


def _in_turns(sources: list[Iterator[str]]) -> Iterator[str]:
    while sources:
        still_open = []
        for source in sources:
            turn = list(islice(source, _LINES_PER_TURN))
            yield from turn
            if len(turn) == _LINES_PER_TURN:
                still_open.append(source)
        sources = still_open


def _lines(path: Path) -> Iterator[str]:
    some = False
    try:
        with closing(_PIECES.get(path.suffix, _plain)(path)) as pieces:
            for number, line in enumerate(_whole_lines(path, pieces), start=1):
                text = _text(path, number, line)
                if text:
                    some = True
                    yield from _parts(text)
    except (lzma.LZMAError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InvalidData(
            f"The corpus {path} cannot be decompressed ({error}). Compress the text again, or "
            "name the file by what it is: .txt, .xz or .gz."
        ) from None
    if not some:
        raise InvalidData(f"The corpus {path} is empty. Name a file with text in it.")


def _whole_lines(path: Path, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines of pieces of a file; one that would take all memory is an error."""
    begun: list[bytes] = []
    size = number = 0
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for line in ended:
            number += 1
            yield b"".join([*begun, line])
            begun, size = [], 0
        begun.append(rest)
        size += len(rest)
        if size > _LONGEST_LINE:
            raise InvalidData(
                f"The corpus {path} has a line of more than {_LONGEST_LINE / 1e6:.0f} MB "
                f"(line {number + 1}), which is no running text. Break it into lines."
            )
    if any(begun):
        yield b"".join(begun)


def _plain(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        yield from iter(lambda: file.read(_PIECE), b"")


def _gz(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as file:
        yield from iter(lambda: file.read(_PIECE), b"")


def _xz(path: Path) -> Iterator[bytes]:
    """Decompress one stream after the other; a header may ask for little memory only."""
    with open(path, "rb") as file:
        packed = file.read(_PIECE)
        while packed:
            stream = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            while not stream.eof:
                if stream.needs_input and not packed and not (packed := file.read(_PIECE)):
                    raise EOFError("the file ends before the text does")
                yield stream.decompress(packed, _PIECE)
                packed = b""
            packed = (stream.unused_data or file.read(_PIECE)).lstrip(b"\0")  # padding


_PIECES: dict[str, Callable[[Path], Iterator[bytes]]] = {".xz": _xz, ".gz": _gz}


def _parts(text: str) -> Iterator[str]:
    """Yield a line in parts that a tokenizer can hold, broken at white space where there is any."""
    begin = 0
    while len(text) - begin > _LONGEST_PART:
        end = begin + _LONGEST_PART
        space = text.rfind(" ", begin + 1, end)
        end = space if space > 0 else end
        yield text[begin:end]
        begin = end
    yield text[begin:]


def _text(path: Path, number: int, line: bytes) -> str:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidData(
            f"The corpus {path} is not UTF-8 text (line {number}). Convert it to UTF-8; "
            "compressed files need the ending .xz or .gz."
        )
    return text.strip()
