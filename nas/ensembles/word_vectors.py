"""Reading files of word and entity vectors: text, a name and its numbers a line.

Source of the format: word2vec's text files; ConceptNet Numberbatch: Speer, Chin and Havasi,
"ConceptNet 5.5: An Open Multilingual Graph of General Knowledge", AAAI 2017 (names such as
"ice_cream", or "/c/en/ice_cream" among other languages); entities as wikipedia2vec writes them:
Yamada et al., EMNLP 2020 ("ENTITY/Ice_cream").
"""

import gzip
import io
import zlib
from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np

from nas.data.own.compressed import bounded
from nas.ensembles.knowledge import Knowledge
from search_spaces.errors import InvalidData

LANGUAGE = "en"  # of names that say one
_ENTITY, _CONCEPT = "ENTITY/", "/c/"
_LONGEST_LINE = 1 << 20  # characters; a vector has thousands


def read_word_vectors(path: Path, wanted: Container[str] | None = None) -> Knowledge:
    """Return the vectors of a text file, which may be gzipped.

    A first line of two whole numbers, how many and how long, is passed over. Of names that are
    alike in lower case the first counts.

    Args:
        path: The file.
        wanted: Entities to keep, lower-cased with spaces between words; None keeps all.

    Raises:
        InvalidData: The file cannot be read, or a line is no name with as many finite numbers as
            the first has.
    """
    places: dict[str, int] = {}
    rows, width = [], None
    for number, line in enumerate(lines_of(path), start=1):
        words = line.split(" ")
        if number == 1 and len(words) == 2 and all(word.isdecimal() for word in words):
            continue
        if width is None:
            width = len(words) - 1
        if not 0 < width < len(words):
            raise _no_vector(path, number, f"{len(words) - 1} numbers instead of {width or 'some'}")
        first = len(words) - width
        name = name_of(" ".join(words[:first]))
        if name is None or name in places or (wanted is not None and name not in wanted):
            continue
        rows.append(_numbers(words[first:], path, number))
        places[name] = len(places)
    if width is None:
        raise InvalidData(f"{path} is empty. Give a file of word vectors, or of triples.")
    return Knowledge(places, np.array(rows, np.float64).reshape(len(rows), width))


def name_of(text: str) -> str | None:
    """Return the entity that a file calls `text`; None for one of another language."""
    if text.startswith(_CONCEPT):
        _, _, language, *rest = text.split("/")
        if language != LANGUAGE or not rest:
            return None
        text = rest[0]
    return text.removeprefix(_ENTITY).replace("_", " ").lower()


def first_line(path: Path) -> str:
    """Return the first line of a file that is not empty, or "".

    Raises:
        InvalidData: It cannot be read.
    """
    return next(lines_of(path), "")


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a text file that are not empty, which may be gzipped.

    Raises:
        InvalidData: It cannot be read, or is no text.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            content = bounded(gzip.GzipFile(fileobj=raw), path) if zipped else raw
            with io.TextIOWrapper(content, encoding="utf-8") as file:
                while line := file.readline(_LONGEST_LINE):
                    if len(line) >= _LONGEST_LINE:
                        raise InvalidData(
                            f"{path} has a line of a million characters, which no vector has. "
                            "Give a file of word vectors, or of triples."
                        )
                    if line.strip():
                        yield line.strip("\r\n ")
    except UnicodeDecodeError:
        raise InvalidData(
            f"{path} is no text in UTF-8. Give vectors in the text format of word2vec, a name and "
            "its numbers a line, or triples relation<TAB>head<TAB>tail."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidData(
            f"The vectors {str(path)!r} cannot be read: {why}. Give a file of word vectors or of "
            "triples with --vectors, or leave it out."
        ) from None


def _numbers(words: list[str], path: Path, number: int) -> np.ndarray:
    try:
        found = np.array([float(word) for word in words])
    except ValueError:
        raise _no_vector(path, number, f"{' '.join(words)[:60]!r}, which are no numbers") from None
    if not np.isfinite(found).all():
        raise _no_vector(path, number, "numbers that are not finite")
    return found


def _no_vector(path: Path, number: int, why: str) -> InvalidData:
    return InvalidData(
        f"{path}, line {number}: it has {why}. Each line is a name and its numbers with a space "
        "between, as many on every line; or each is relation<TAB>head<TAB>tail."
    )
