"""The answers of each row of a file, and which of them is right."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.choice_columns import is_list
from nas.data.own.labels import plain_values, require_present
from nas.data.own.text_columns import text_column, texts_or_none
from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def answers_column(
    table: "pa.Table", columns: Sequence[str], count: int | None, place: str, word: str
) -> "pa.ChunkedArray":
    """Return the answers of each row as a column of lists; a row may have fewer than others.

    Of a column for each answer, the last ones of a row may be empty.

    Args:
        table: The file.
        columns: One column of lists, or one for each answer.
        count: How many answers a row of the training file has at most; None for this file itself.
        place: What it is called.
        word: What a row of it is called.

    Raises:
        InvalidData: An answer is missing, or a row has more than those of training.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(columns) == 1:
        found = table[columns[0]]
        if not is_list(found):
            raise InvalidData(
                f"{place}: the column {columns[0]!r} holds {found.type}, and answers to choose "
                'among are lists of texts, such as ["yes", "no"], or a column each.'
            )
    else:
        first = [text_column(table[n], n, place, word).to_pylist() for n in columns[:2]]
        more = [texts_or_none(table[n], n, place) for n in columns[2:]]
        rows = (_without_last(row) for row in zip(*first, *more, strict=True))
        found = pa.chunked_array([pa.array(rows, pa.list_(pa.string()))])
    lengths = pc.fill_null(pc.list_value_length(found), 0).to_numpy()
    wrong = np.flatnonzero((lengths < 2) | (lengths > (count or np.inf)))
    if len(wrong):
        row = int(wrong[0])
        most = f", and {count} in the training file at most" if lengths[row] > 1 else ""
        raise InvalidData(
            f"{place}, {word} {row + 1}: {lengths[row]} answers in {', '.join(columns)}{most}. "
            f"Give every row at least two{' and no more than that' if most else ''}."
        )
    for row, answers in enumerate(found.to_pylist(), 1):
        if not all(answer and answer.strip() for answer in answers):
            raise InvalidData(
                f"{place}, {word} {row}: an empty answer in {', '.join(columns)}. Write it, or "
                "delete the row."
            )
    return found


def choice_names(
    labels: "pa.ChunkedArray",
    answers: "pa.ChunkedArray",
    columns: Sequence[str],
    name: str,
    place: str,
    word: str,
) -> tuple[str, ...]:
    """Return what the labels of a training file call each answer, in order.

    That is numbers from 0 or from 1, letters, the names of the columns, or the right texts.

    Raises:
        InvalidData: Labels are none of these, or it cannot be told from where they count.
    """
    values = plain_values(labels)
    require_present(values, name, place, word)
    told, each = values.to_pylist(), answers.to_pylist()
    count, found = max(map(len, each)), set(told)
    if all(value in row for value, row in zip(told, each, strict=True)):
        return _of_texts(columns, count)
    ways = (
        tuple(map(str, range(count))),
        tuple(map(str, range(1, count + 1))),
        tuple(_LETTERS[:count]),
        tuple(_LETTERS[:count].lower()),
        tuple(columns),
    )
    for names in ways:
        # whichever end of a row of numbers is there says where counting begins
        numbers = names[0] in ("0", "1")
        ends = (v == ("0" if names[0] == "0" else str(len(row))) for v, row in _pairs(told, each))
        sure = not numbers or any(ends)
        if found <= set(names) and len(names) == count and sure:
            return names
    if found <= set(map(str, range(count + 1))):
        raise InvalidData(
            f"{place}: the numbers in column {name!r} go from {min(found)} to {max(found)}, of "
            f"{count} answers, so that it cannot be told whether the first is 0 or 1. Write "
            f"letters, A to {_LETTERS[count - 1]}, or the text of the right answer."
        )
    # as most rows have it: the others are mistakes
    names = max((_of_texts(columns, count), *ways), key=lambda way: sum(v in way for v in told))
    for row, (value, row_answers) in enumerate(zip(told, each, strict=True), 1):
        if value not in row_answers and value not in names:
            raise _no_answer(value, row, row_answers, names, name, place, word)
    return names


def read_choices(
    labels: "pa.ChunkedArray", answers: "pa.ChunkedArray", task: Task, place: str, word: str
) -> np.ndarray:
    """Return the place of the right answer in each row, `(n,)` int64.

    Raises:
        InvalidData: A label names none of the row's answers, or two of them.
    """
    values = plain_values(labels)
    require_present(values, task.label, place, word)
    places = {name: number for number, name in enumerate(task.labels)}
    found = np.zeros(len(values), np.int64)
    for row, (value, each) in enumerate(_pairs(values.to_pylist(), answers.to_pylist())):
        if places.get(value, len(each)) < len(each):
            found[row] = places[value]
        elif each.count(value) == 1:
            found[row] = each.index(value)
        elif value in each:
            raise InvalidData(
                f"{place}, {word} {row + 1}: the answer {value!r:.80} stands there twice, so that "
                "it cannot be told which is right. Change or delete the row."
            )
        else:
            raise _no_answer(value, row + 1, each, task.labels, task.label, place, word)
    return found


def _pairs(
    told: Sequence[str], each: Sequence[Sequence[str]]
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what each row's label is, with its answers."""
    return zip(told, each, strict=True)


def _without_last(row: Sequence[str]) -> list[str]:
    """Return the answers of a row without empty ones at the end."""
    last = len(row)
    while last and not row[last - 1].strip():
        last -= 1
    return list(row[:last])


def _of_texts(columns: Sequence[str], count: int) -> tuple[str, ...]:
    if len(columns) == count:
        return tuple(columns)
    return tuple(f"answer {number}" for number in range(1, count + 1))


def _no_answer(
    value: str,
    row: int,
    answers: Sequence[str],
    names: Sequence[str],
    label: str,
    place: str,
    word: str,
) -> InvalidData:
    listed = ", ".join(f"{answer!r:.40}" for answer in answers)
    return InvalidData(
        f"{place}, {word} {row}: the label {value!r:.80} in column {label!r} is none of the "
        f"answers ({listed}), nor one of {', '.join(names)}. Correct it; where the file is no "
        "choice among answers, write kind: classes."
    )
