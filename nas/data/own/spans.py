"""Questions about texts, and the answers as places in the texts."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nas.data.own.span_columns import SpanColumns, with_places
from nas.data.own.text_columns import text_column, texts_or_none
from nas.data.own.texts import Texts
from nas.data.tables import Split
from nas.evaluation.kinds.span import NO_ANSWER
from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST_TEXT = 1 << 31  # characters: what a place is counted in holds no more
_NO_TEXT = ("", "nan", "NaN", "null", "NULL")


class Answer(NamedTuple):
    """The answers of a row: the texts that are right, and where the first of them stands."""

    texts: tuple[str, ...]
    start: int | None


def span_split(table: "pa.Table", task: Task, place: str, word: str) -> Split:
    """Return the questions, the texts and, where the file has them, the answers.

    Raises:
        InvalidData: A text is empty, or an answer is not where the file says; the message names
            the row.
    """
    asked, texts = (Texts([text_column(table[n], n, place, word)]) for n in task.columns)
    if task.label not in table.column_names:
        return Split(asked, texts, None, answers=[()] * len(asked))
    found = read_answers(table, task.label, task.start, place, word)
    labels = np.full((len(found), 2), -1, np.int64)
    for row, (answer, text) in enumerate(zip(found, texts, strict=True)):
        if answer.texts:
            labels[row] = _place(answer, text, task, place, f"{word} {row + 1}")
        elif not task.labels:
            raise InvalidData(
                f"{place}, {word} {row + 1}: no answer in column {task.label!r}, and every "
                "question of the training file has one. Write it, delete the row, or train on "
                "questions without an answer, too."
            )
    return Split(asked, texts, labels, answers=[answer.texts for answer in found])


def span_names(table: "pa.Table", columns: SpanColumns, place: str, word: str) -> tuple[str, ...]:
    """Return the name of what stands in place of an answer, if a question has none.

    Raises:
        InvalidData: No question has an answer, or an answer cannot be read.
    """
    found = read_answers(table, columns.label, columns.start, place, word)
    answered = sum(bool(answer.texts) for answer in found)
    if not answered:
        raise InvalidData(
            f"{place}: no question has an answer in column {columns.label!r}. Write some, or name "
            "the column with label: COLUMN (on the command line --label COLUMN)."
        )
    return (NO_ANSWER,) if answered < len(found) else ()


def read_answers(table: "pa.Table", label: str, start: str, place: str, word: str) -> list[Answer]:
    """Return the answers of each row.

    Args:
        table: With the column `label`: texts, or the texts and starts of each row as SQuAD has
            them.
        label: Its name.
        start: The column with the starts of texts; "" where there is none.
        place: What the file is called.
        word: What a row of it is called.

    Raises:
        InvalidData: A value is of another type, or a start is no whole number.
    """
    column = table[label]
    if with_places(column):
        return [_of_squad(value, label, place, f"{word} {n}") for n, value in _numbered(column)]
    texts = texts_or_none(column, label, place)
    starts = table[start].to_pylist() if start else [None] * len(texts)
    return [
        Answer((), None)
        if text.strip() in _NO_TEXT
        else Answer((text,), _whole(begin, start, place, f"{word} {row}") if start else None)
        for row, (text, begin) in enumerate(zip(texts, starts, strict=True), 1)
    ]


def _numbered(column: "pa.ChunkedArray") -> "enumerate[object]":
    return enumerate(column.to_pylist(), 1)


def _of_squad(value: object, name: str, place: str, where: str) -> Answer:
    if isinstance(value, list):
        pairs = [(one["text"], one["answer_start"]) for one in value]
    else:
        value = value or {"text": [], "answer_start": []}
        texts, starts = value["text"] or [], value["answer_start"]
        starts = starts if isinstance(starts, list) else [starts]
        texts = texts if isinstance(texts, list) else [texts]
        if len(texts) != len(starts):
            raise InvalidData(
                f"{place}, {where}: {len(texts)} texts and {len(starts)} starts in {name!r}. Give "
                "every answer one start."
            )
        pairs = list(zip(texts, starts, strict=True))
    pairs = [(text, start) for text, start in pairs if text]
    if not pairs:
        return Answer((), None)
    return Answer(tuple(t for t, _ in pairs), _whole(pairs[0][1], name, place, where))


def _whole(value: object, name: str, place: str, where: str) -> int:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not (0 <= number < _LONGEST_TEXT and number.is_integer()):
        raise InvalidData(
            f"{place}, {where}: the start of the answer in column {name!r} is {value!r:.40}, and "
            "must be a whole number from 0, of characters before it. Correct it."
        )
    return int(number)


def _place(answer: Answer, text: str, task: Task, place: str, where: str) -> tuple[int, int]:
    """Return the first character of an answer in its text, and the one after its last."""
    wanted = answer.texts[0]
    if answer.start is None:
        start = text.find(wanted)
        if start < 0:
            raise InvalidData(
                f"{place}, {where}: the answer {wanted!r:.60} does not stand in the text of column "
                f"{task.columns[1]!r}. Write it as it stands there."
            )
        return start, start + len(wanted)
    start, end = answer.start, answer.start + len(wanted)
    if text[start:end] == wanted:
        return start, end
    elsewhere = text.find(wanted)
    hint = (
        f"It begins at {elsewhere}: correct the start, which counts characters from 0."
        if elsewhere >= 0
        else "It stands nowhere in it: write it as it stands there."
    )
    raise InvalidData(
        f"{place}, {where}: the answer {wanted!r:.60} is not at character {start} of the text in "
        f"column {task.columns[1]!r}, where {text[start:end]!r:.60} stands. {hint}"
    )
