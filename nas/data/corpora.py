"""Raw text files to pre-train on, plain or compressed, read line by line."""

import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from search_spaces.errors import InvalidData

_LINES_PER_TURN = 64
_PIECE = 1 << 20  # bytes read at once
_LONGEST_LINE = 32_000_000
_LONGEST_PART = 1_000_000  # characters; a tokenizer needs a hundred times that while it reads
# Of a longer word the beginning is kept: a tokenizer would learn from it for minutes, and knows it
# as [UNK]. Scripts written without spaces, from Thai to Chinese, are beyond U+0E00.
_LONGEST_WORD = 1000
_OF_WORD = r"[^\s\u0e00-\U0010ffff]"
_OVERLONG = re.compile(rf"(?<!{_OF_WORD})({_OF_WORD}{{{_LONGEST_WORD}}}){_OF_WORD}+")
# Running text is three to ten times what it is compressed. Less than this may be anything; it is
# less than what a tokenizer learns from, so that nobody waits for that first.
_MOST_TIMES, _UNTOLD = 100, 30_000_000
_XZ_MEMORY = 200_000_000  # three times what the strongest usual setting asks for


def read_corpus(
    paths: Iterable[str | Path] | str | Path, limit_bytes: int | None = None
) -> Iterator[str]:
    """Return the lines of text files, without blank ones, as an iterator.

    Several files take turns of a few lines, so that a limit leaves something of each. Files
    ending in .xz and .gz are decompressed while they are read. Of a word of more than 1,000
    characters, in a script that has spaces, the first 1,000 are kept.

    Args:
        paths: One file or several.
        limit_bytes: Stop after so many bytes of UTF-8 text; None reads everything.

    Raises:
        InvalidData: A file is missing, empty, damaged or no text, or its text, beyond 30 MB, is a
            hundred times as large as the file. Missing files are reported at once, the others
            when they are read.
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
        with closing(_pieces(path)) as pieces:
            for number, line in enumerate(_whole_lines(path, pieces), start=1):
                text = _text(path, number, line)
                if text:
                    some = True
                    yield from _parts(_without_overlong(text))
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


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield the text of a file; one that unfolds to what nobody would have written is an error."""
    size = 0
    with open(path, "rb") as file:
        for piece in _UNPACKERS.get(path.suffix, _plain)(file):
            size += len(piece)
            if size > max(_UNTOLD, _MOST_TIMES * file.tell()):
                raise InvalidData(
                    f"The corpus {path} unfolds to more than {_MOST_TIMES} times its size "
                    f"({size / 1e6:.0f} MB and more), which is no running text. If it is meant, "
                    "decompress it and name the .txt file."
                )
            yield piece


def _plain(file: BinaryIO) -> Iterator[bytes]:
    yield from iter(lambda: file.read(_PIECE), b"")


def _gz(file: BinaryIO) -> Iterator[bytes]:
    with gzip.open(file, "rb") as unpacked:
        yield from iter(lambda: unpacked.read(_PIECE), b"")


def _xz(file: BinaryIO) -> Iterator[bytes]:
    """Decompress one stream after the other; a header may ask for little memory only."""
    packed = file.read(_PIECE)
    while packed:
        stream = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        while not stream.eof:
            if stream.needs_input and not packed and not (packed := file.read(_PIECE)):
                raise EOFError("the file ends before the text does")
            yield stream.decompress(packed, _PIECE)
            packed = b""
        packed = (stream.unused_data or file.read(_PIECE)).lstrip(b"\0")  # padding


_UNPACKERS: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {".xz": _xz, ".gz": _gz}


def _without_overlong(text: str) -> str:
    """Return a line with words of bounded length; one that has no other is the same."""
    if len(text) > _LONGEST_WORD and max(map(len, text.split())) > _LONGEST_WORD:
        return _OVERLONG.sub(r"\1", text)
    return text


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
