"""The row of data that describes one task: where its columns are and how it is scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Task:
    """One task of a suite, as its official files have it.

    Attributes:
        name: Short lower-case name, as in an experiment file and a table of results.
        folder: Folder of the official layout.
        columns: The text columns that are read: one, two, or of a user's own task more; those
            after the first make the second text.
        label: The label column.
        labels: Label texts in the order of their class numbers; empty for a regression.
        metrics: Names in `nas.evaluation.metrics.METRICS`; the task's score is their mean.
        header: Column names of files that have no header line; empty where they have one.
        train: File of the training split.
        dev: Name of each development split -> its file.
        test: Name of each unlabelled test split -> its file.
        label_range: Smallest and largest label of a regression.
        broken_rows: How many rows with too few columns the official files are known to hold;
            so many are skipped in the training file, one more is an error, and so is each of
            another file.
        source: Authors, title and venue of the task; for a user's own, its files.
        kind: Name in `nas.evaluation.kinds.TASK_KINDS`: how labels are read, learned and scored.
        own: Whether it is a user's own task and no row of a suite.
        language: Of the texts, as a code of two letters.
        choices: Of a choice among answers, the columns with them: one that holds lists, or one for
            each answer; `labels` says how many there are.
        start: Of spans of texts, the column with the first character of each answer; "" where the
            label column says it, or the text of the answer is looked for.
    """

    name: str
    folder: str
    columns: tuple[str, ...]
    label: str
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    source: str
    header: tuple[str, ...] = ()
    train: str = "train.tsv"
    dev: dict[str, str] = field(default_factory=lambda: {"dev": "dev.tsv"}, hash=False)
    test: dict[str, str] = field(default_factory=lambda: {"test": "test.tsv"}, hash=False)
    label_range: tuple[float, float] | None = None
    broken_rows: int = 0
    kind: str = ""
    own: bool = False
    language: str = "en"
    choices: tuple[str, ...] = ()
    start: str = ""

    def __post_init__(self) -> None:
        if not self.kind:
            object.__setattr__(self, "kind", "classes" if self.labels else "number")

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers instead of classes."""
        return self.kind == "number"

    @property
    def is_pair(self) -> bool:
        """Whether an example has a second sentence."""
        return len(self.columns) > 1

    @property
    def outputs(self) -> int:
        """Numbers a classification head gives: one per class, one for a regression."""
        return max(1, len(self.labels))

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads: the facts of an own task, as JSON types."""
        more = {name: getattr(self, name) for name in _SOME if getattr(self, name)}
        found = {name: getattr(self, name) for name in _OWN} | more
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()} | {
            "dev": list(self.dev)
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Task":
        """Return an own task.

        Raises:
            ValueError: A value is missing or of another type.
        """
        if not isinstance(values, Mapping) or set(values) - set(_SOME) != {*_OWN, "dev"}:
            raise ValueError(f"a task has the facts {', '.join((*_OWN, 'dev'))}")
        given: dict[str, Any] = {}
        for name, value in values.items():
            lists = name in ("columns", "labels", "metrics", "dev", "choices")
            if lists and not (
                isinstance(value, list) and all(isinstance(text, str) for text in value)
            ):
                raise ValueError(f"{name} is no list of texts")
            if not lists and not isinstance(value, str):
                raise ValueError(f"{name} is no text")
            given[name] = tuple(value) if lists else value
        if not given["columns"] or not given["metrics"] or not given["dev"]:
            raise ValueError("columns, metrics and dev cannot be empty")
        return cls(
            **{**given, "dev": dict.fromkeys(given["dev"], "")}, folder="", test={}, own=True
        )


_OWN = ("name", "kind", "columns", "label", "labels", "metrics", "language", "source")
_SOME = ("choices", "start")  # said only of tasks that have any
assert set(_OWN) <= {f.name for f in fields(Task)}
