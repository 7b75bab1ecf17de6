"""Columns of texts and of lists of words, with what is wrong in them said."""

from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.arrays import values_of
from nas.data.own.labels import count_rows
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa


def words_column(column: "pa.ChunkedArray", name: str, place: str, word: str) -> "pa.ChunkedArray":
    """Return a column of lists of words.

    Raises:
        InvalidData: It holds something else, or an empty list.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_list(column.type) or not pa.types.is_string(column.type.value_type):
        raise InvalidData(
            f"{place}: the column {name!r} holds {column.type}, and a label for each word needs "
            'lists of words, such as ["a", "word"].'
        )
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    empty = np.flatnonzero(lengths == 0) + 1
    if len(empty) or pc.list_flatten(column).null_count:
        row = int(empty[0]) if len(empty) else "?"
        raise InvalidData(
            f"{place}, {word} {row}: no words in column {name!r}. Delete the row, or write them."
        )
    return column


def text_column(column: "pa.ChunkedArray", name: str, place: str, word: str) -> "pa.ChunkedArray":
    """Return a text column.

    Raises:
        InvalidData: It holds something else than texts, or an empty one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InvalidData(
            f"{place}: the text column {name!r} holds {column.type}, no texts, such as "
            f"{column[0].as_py()!r:.60}. Name another one with text: COLUMN (on the command line "
            "--text COLUMN)."
        )
    bare = [  # part by part: a copy of it all would double what is in memory
        values_of(pc.utf8_length(pc.utf8_trim_whitespace(part))) for part in column.chunks
    ]
    empty = np.flatnonzero(np.concatenate(bare) == 0) + 1
    if len(empty):
        raise InvalidData(
            f"{place}, {word} {empty[0]}: the text in column {name!r} is empty "
            f"({count_rows(empty.tolist())}). Delete the row, or write its text."
        )
    return column


def texts_or_none(column: "pa.ChunkedArray", name: str, place: str) -> list[str]:
    """Return texts, "" where there is none.

    Raises:
        InvalidData: The column holds something else.
    """
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise InvalidData(
            f"{place}: the column {name!r} holds {kind}, and answers are texts. Name another one "
            "with label: COLUMN (on the command line --label COLUMN)."
        )
    return [value or "" for value in column.to_pylist()]
