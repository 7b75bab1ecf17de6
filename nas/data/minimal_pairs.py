"""Reads minimal pairs: JSON lines, a pair each, a file for each phenomenon; and encodes them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.data.encoding import EncodedSplit, encode
from nas.data.tables import Split
from nas.data.tokenizer import Tokenizer
from nas.evaluation.suites.minimal_pairs import PairSuite
from search_spaces.errors import InvalidData


@dataclass(frozen=True)
class Pairs:
    """Sentences of minimal pairs.

    Attributes:
        names: Of the files.
        good: The sentences to prefer.
        bad: The others, in the same order.
        files: Place in `names` of the file of each pair, `(pairs,)`.
    """

    names: tuple[str, ...]
    good: Sequence[str]
    bad: Sequence[str]
    files: np.ndarray


@dataclass(frozen=True)
class EncodedPairs:
    """The same as ids.

    Attributes:
        names: Of the files.
        sentences: Good and bad ones in turn; the label of each is the place of its file.
    """

    names: tuple[str, ...]
    sentences: EncodedSplit


def read_pairs(
    suite: PairSuite, place: str | Path, *, limit: int | None = None, seed: int = 0
) -> Pairs:
    """Return the pairs of every official file that is there.

    Args:
        suite: Says what files and columns are called.
        place: The folder with the files, or one of them.
        limit: Pairs of each file at most, drawn by `seed`; None takes all.
        seed: Decides which.

    Raises:
        InvalidData: No file is there, or one is no JSON lines of pairs.
    """
    paths = _files(suite, Path(place))
    good: list[str] = []
    bad: list[str] = []
    files: list[int] = []
    for number, path in enumerate(paths):
        pairs = _read(suite, path)
        if limit is not None and len(pairs) > limit:
            chosen = np.random.default_rng([seed, number]).choice(len(pairs), limit, replace=False)
            pairs = [pairs[i] for i in np.sort(chosen)]
        good += [pair[0] for pair in pairs]
        bad += [pair[1] for pair in pairs]
        files += [number] * len(pairs)
    return Pairs(tuple(path.stem for path in paths), good, bad, np.array(files, np.int64))


def encode_pairs(pairs: Pairs, tokenizer: Tokenizer, max_length: int) -> EncodedPairs:
    """Return pairs as ids; sentences longer than `max_length` tokens are cut."""
    sentences = [text for pair in zip(pairs.good, pairs.bad, strict=True) for text in pair]
    labels = np.repeat(pairs.files, 2)
    split = encode(tokenizer, Split(sentences, None, labels), max_length, np.int32)
    return EncodedPairs(pairs.names, split)


def _files(suite: PairSuite, place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise InvalidData(
            f"There is no folder {place}. Give the one with the files of {suite.title}, such as "
            f"{suite.files[0]}.jsonl."
        )
    found = [place / f"{name}.jsonl" for name in suite.files]
    found = [path for path in found if path.is_file()]
    if not found:
        beside = ", ".join(sorted(path.name for path in place.iterdir())[:10]) or "nothing"
        raise InvalidData(
            f"{place} has no file of {suite.title}, such as {suite.files[0]}.jsonl. Found: "
            f"{beside}. Give the folder that holds them."
        )
    return found


def _read(suite: PairSuite, path: Path) -> list[tuple[str, str]]:
    found = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise InvalidData(f"{path} is not UTF-8 text. Put back the official file.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidData(
                f"{path}, line {number}: no JSON ({str(error)[:100]}): {line[:80]!r}. Put back the "
                "official file."
            ) from None
        sides = [[_text(row, name) for name in names] for names in (suite.good, suite.bad)]
        if not all(all(side) for side in sides):
            columns = ", ".join(row) if isinstance(row, dict) else "none"
            wanted = " and ".join(dict.fromkeys((*suite.good, *suite.bad)))
            raise InvalidData(
                f"{path}, line {number}: no sentences {wanted}. Columns found: {columns}. Put back "
                "the official file."
            )
        found.append((" ".join(sides[0]), " ".join(sides[1])))
    if not found:
        raise InvalidData(f"{path} has no pairs. Put back the official file.")
    return found


def _text(row: object, name: str) -> str:
    """Return a text of a row; "" where it has none."""
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, str) and value.strip() else ""
