"""What every reader returns, wherever the data is from: sentences and labels in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nas.evaluation.suites.task import Task


@dataclass(frozen=True)
class Split:
    """The examples of one split.

    Attributes:
        first: The sentence, or the first of two.
        second: The second sentences; None for a task of single sentences.
        labels: Class numbers (int64) or, for a regression, numbers (float32), `(n,)`; None where
            they are not published.
    """

    first: Sequence[str]
    second: Sequence[str] | None
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class TaskData:
    """All splits of one task.

    Attributes:
        name: Name of the task, as in `nas.evaluation.suites`.
        train: Training examples.
        dev: Development splits by name; MNLI has "matched" and "mismatched", others "dev".
        test: Unlabelled splits by name, where they were asked for and exist.
        row: The task itself where it is the user's own; None where a suite has its row.
    """

    name: str
    train: Split
    dev: dict[str, Split]
    test: dict[str, Split] = field(default_factory=dict)
    row: Task | None = None
