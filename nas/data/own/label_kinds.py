"""How the label column of each kind of task is read."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.columns import MOST_CLASSES
from nas.data.own.labels import (
    class_names,
    plain_values,
    read_classes,
    read_numbers,
    require_present,
)
from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidData
from search_spaces.registry import Registry

if TYPE_CHECKING:
    import pyarrow as pa


class LabelReader(ABC):
    """Reads the label columns of one kind of task."""

    @abstractmethod
    def names(self, column: "pa.ChunkedArray", name: str, place: str, word: str) -> tuple[str, ...]:
        """Return the names of the labels in a training file; none for numbers.

        Raises:
            InvalidData: There is nothing to learn in them.
        """

    @abstractmethod
    def read(self, column: "pa.ChunkedArray", task: Task, place: str, word: str) -> np.ndarray:
        """Return labels as they are trained on.

        Raises:
            InvalidData: One is missing or not allowed; the message names the row.
        """


READERS: Registry[LabelReader] = Registry("kind of label")


class _Classes(LabelReader):
    def names(self, column: "pa.ChunkedArray", name: str, place: str, word: str) -> tuple[str, ...]:
        values = plain_values(column)
        require_present(values, name, place, word)
        return class_names(values, name, place)

    def read(self, column: "pa.ChunkedArray", task: Task, place: str, word: str) -> np.ndarray:
        values = plain_values(column)
        require_present(values, task.label, place, word)
        return read_classes(values, task.labels, task.label, place, word)


class _Number(LabelReader):
    def names(self, column: "pa.ChunkedArray", name: str, place: str, word: str) -> tuple[str, ...]:
        return ()

    def read(self, column: "pa.ChunkedArray", task: Task, place: str, word: str) -> np.ndarray:
        values = plain_values(column)
        require_present(values, task.label, place, word)
        return read_numbers(values, task.label, place, word)


class _Labels(LabelReader):
    def names(self, column: "pa.ChunkedArray", name: str, place: str, word: str) -> tuple[str, ...]:
        found = sorted({label for labels in _lists(column, place, name) for label in labels})
        if not found:
            raise InvalidData(f"{place}: no label at all in column {name!r}. Write some.")
        if len(found) > MOST_CLASSES:
            raise InvalidData(
                f"{place}: column {name!r} has {len(found):,} different labels, such as "
                f"{found[0]!r:.40}, more than can be learned. Name another column with label:."
            )
        return tuple(found)

    def read(self, column: "pa.ChunkedArray", task: Task, place: str, word: str) -> np.ndarray:
        places = {name: place for place, name in enumerate(task.labels)}
        found = np.zeros((len(column), len(places)), np.float32)
        for row, labels in enumerate(_lists(column, place, task.label)):
            for label in labels:
                if label not in places:
                    raise _unknown(label, row, task, place, word)
                found[row, places[label]] = 1
        return found


class _Words(LabelReader):
    def names(self, column: "pa.ChunkedArray", name: str, place: str, word: str) -> tuple[str, ...]:
        found = sorted({label for labels in _lists(column, place, name) for label in labels})
        if not 2 <= len(found) <= MOST_CLASSES:
            raise InvalidData(
                f"{place}: column {name!r} has {len(found):,} different labels of words, and from "
                f"2 to {MOST_CLASSES:,} can be learned."
            )
        return tuple(found)

    def read(self, column: "pa.ChunkedArray", task: Task, place: str, word: str) -> np.ndarray:
        places = {name: place for place, name in enumerate(task.labels)}
        found = []
        for row, labels in enumerate(_lists(column, place, task.label)):
            for label in labels:
                if label not in places:
                    raise _unknown(label, row, task, place, word)
                found.append(places[label])
        return np.array(found, np.int64)


def _unknown(label: str, row: int, task: Task, place: str, word: str) -> InvalidData:
    return InvalidData(
        f"{place}, {word} {row + 1}: the label {label!r:.80} in column {task.label!r} is none of "
        f"the training file ({', '.join(task.labels[:20])}). Correct it, or add examples of it to "
        "the training file."
    )


def _lists(column: "pa.ChunkedArray", place: str, name: str) -> Iterator[list[str]]:
    """Yield the labels of each row: a list, or what a cell has between "|", ";" or ","."""
    import pyarrow as pa

    if pa.types.is_list(column.type):
        for number, found in enumerate(column.to_pylist(), 1):
            if any(value is None or str(value).strip() == "" for value in found or ()):
                raise InvalidData(f"{place}, row {number}: an empty label in column {name!r}.")
            yield [str(value) for value in found or ()]
        return
    cells = [("" if value is None else str(value)) for value in column.to_pylist()]
    between = next((sign for sign in "|;," if any(sign in cell for cell in cells)), "|")
    for cell in cells:
        yield [part.strip() for part in cell.split(between) if part.strip()]


READERS.register("labels")(_Labels())
READERS.register("words")(_Words())
READERS.register("classes")(_Classes())
READERS.register("number")(_Number())
