"""How the label column of each kind of task is read."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.labels import (
    class_names,
    plain_values,
    read_classes,
    read_numbers,
    require_present,
)
from nas.evaluation.suites.task import Task
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


READERS.register("classes")(_Classes())
READERS.register("number")(_Number())
