"""The labels of a column: which kind they are of, and as the numbers that are trained on."""

from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.arrays import values_of
from nas.data.own.columns import MOST_CLASSES, MOST_NUMBERED
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

_MISSING = "^(|nan|NaN|NAN|null|NULL)$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_MOSTLY = 0.5  # with so many numbers among them, what is no number is a mistake


def plain_values(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Return labels as texts, numbers as they are usually written; absent ones are null.

    Raises:
        InvalidData: They are neither, but structures.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
        whole = pc.all(pc.equal(column, pc.round(column))).as_py()
        if whole and pc.max(pc.abs(column)).as_py() is not None:
            column = column.cast(pa.int64(), safe=False)
        return column.cast(pa.string())
    try:
        column = column.cast(pa.string())
    except pa.ArrowNotImplementedError:
        raise InvalidData(
            f"The labels are of the type {str(kind)[:80]}, and no kind of task has such. Labels "
            "are texts, numbers, or lists of them; name their column with label: COLUMN."
        ) from None
    coded = column.dictionary_encode().combine_chunks()
    texts = pc.utf8_trim_whitespace(coded.dictionary)  # each value once, not each row
    missing = pc.match_substring_regex(texts, _MISSING)
    texts = pc.if_else(missing, pa.nulls(len(texts), pa.string()), texts)
    return pa.chunked_array([texts.take(coded.indices)])


def require_present(column: "pa.ChunkedArray", name: str, place: str, word: str) -> None:
    """Check that no label is missing.

    Raises:
        InvalidData: Some are.
    """
    if column.null_count:
        rows = absent_rows(column)
        raise InvalidData(
            f"{place}, {word} {rows[0]}: no label in column {name!r} ({count_rows(rows)} without "
            f"one, such as {word} {', '.join(map(str, rows[:5]))}). Write the label, or delete "
            "the row."
        )


def absent_rows(column: "pa.ChunkedArray") -> list[int]:
    """Return the rows of missing values, counted from 1."""
    import pyarrow.compute as pc

    return [row + 1 for row in np.flatnonzero(values_of(pc.is_null(column))).tolist()]


def count_rows(rows: list[int]) -> str:
    """Return how many rows there are, in words."""
    return "1 row is" if len(rows) == 1 else f"{len(rows):,} rows are"


def numbers_of(values: "pa.ChunkedArray") -> np.ndarray:
    """Return texts as numbers, `(n,)` float64; NaN where one is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pc.utf8_trim_whitespace(values)
    nothing = pa.nulls(len(values), values.type)
    plain = pc.if_else(pc.match_substring_regex(values, _NUMBER), values, nothing)
    found = pc.replace_substring_regex(plain, r"^\+", "").cast(pa.float64())
    return values_of(found)


def kind_of(text: "pa.ChunkedArray", label: "pa.ChunkedArray") -> str:
    """Return the name of the kind of task that labels are of.

    Lists are a label for each word where the text is a list, too, and else several labels at once.
    Whole numbers of few different values are names of classes; other numbers are numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(label.type):
        return "words" if pa.types.is_list(text.type) else "labels"
    values = plain_values(label)
    distinct = pc.unique(values.combine_chunks())
    if len(distinct) <= MOST_NUMBERED and not _has_fraction(distinct):
        return "classes"
    numbers = np.isfinite(numbers_of(values))
    return "number" if numbers.mean() > _MOSTLY else "classes"


def _has_fraction(distinct: "pa.Array") -> bool:
    numbers = numbers_of(distinct)
    finite = numbers[np.isfinite(numbers)]
    return len(finite) > _MOSTLY * len(numbers) and bool((finite != np.round(finite)).any())


def read_numbers(values: "pa.ChunkedArray", name: str, place: str, word: str) -> np.ndarray:
    """Return the labels of a regression, `(n,)` float32.

    Raises:
        InvalidData: One is no finite number, or all are the same.
    """
    found = numbers_of(values)
    wrong = np.flatnonzero(~np.isfinite(found) | (np.abs(found) > np.finfo(np.float32).max))
    if len(wrong):
        row = int(wrong[0])
        raise InvalidData(
            f"{place}, {word} {row + 1}: {values[row].as_py()!r:.80} in column {name!r} is no "
            f"number, and {len(found) - len(wrong):,} of {len(found):,} labels are. Correct or "
            "delete the row; where labels are names of classes, write kind: classes."
        )
    return found.astype(np.float32)


def class_names(values: "pa.ChunkedArray", name: str, place: str) -> tuple[str, ...]:
    """Return the names of the classes of a training file, in order.

    Raises:
        InvalidData: There is one class only, or nearly as many as examples.
    """
    import pyarrow.compute as pc

    found = pc.unique(values.combine_chunks()).to_pylist()
    if len(found) == 1:
        raise InvalidData(
            f"{place}: every label in column {name!r} is {found[0]!r:.80}, and a model learns to "
            "tell classes apart. Give examples of at least two."
        )
    if len(found) > max(2, len(values) // 2) or len(found) > MOST_CLASSES:
        raise InvalidData(
            f"{place}: column {name!r} has {len(found):,} different labels in {len(values):,} "
            f"rows, such as {found[0]!r:.40} and {found[1]!r:.40}, so it names no classes. Name "
            "the column of the label with label: COLUMN (on the command line --label COLUMN)."
        )
    numbers = numbers_of(pc.unique(values.combine_chunks()))
    if np.isfinite(numbers).all():
        return tuple(sorted(found, key=float))
    return tuple(sorted(found))


def read_classes(
    values: "pa.ChunkedArray", names: tuple[str, ...], name: str, place: str, word: str
) -> np.ndarray:
    """Return class numbers, `(n,)` int64.

    Raises:
        InvalidData: A label is none of `names`.
    """
    places = {name: number for number, name in enumerate(names)}
    coded = values.dictionary_encode().combine_chunks()
    numbers = [places.get(value, -1) for value in coded.dictionary.to_pylist()]
    found = np.array(numbers, np.int64)[values_of(coded.indices)]
    rows = (np.flatnonzero(found < 0) + 1).tolist()
    if rows:
        unknown = values[rows[0] - 1].as_py()
        raise InvalidData(
            f"{place}, {word} {rows[0]}: the label {unknown!r:.80} in column {name!r} is none of "
            f"the training file ({', '.join(names[:20])}); {count_rows(rows)} so. Correct it, or "
            "add examples of it to the training file."
        )
    return found
