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
        labels: Class numbers (int64) or, for a regression, numbers (float32), `(n,)`; of several
            labels at once `(n, labels)`; of words, those of all texts in a row, `(words,)`. None
            where they are not published.
        words: Whether a text is a list of words, with a label for each.
        choices: Of a choice among answers, the answers of each row, at least two; `labels` say
            which of them is right, and `second` is None.
        answers: Of questions about texts, which are `second`: the words of each that are right,
            none where there is no answer or it is not known; `labels` are the first character of
            the first of them and the one after its last, `(n, 2)`, -1 twice for no answer.
    """

    first: Sequence[str]
    second: Sequence[str] | None
    labels: np.ndarray | None
    words: bool = False
    choices: Sequence[Sequence[str]] | None = None
    answers: Sequence[Sequence[str]] | None = None

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


def take_examples(split: Split, rows: np.ndarray) -> Split:
    """Return the examples at `rows`, `(n,)`, in that order."""
    first = [split.first[int(i)] for i in rows]
    second = None if split.second is None else [split.second[int(i)] for i in rows]
    choices = None if split.choices is None else [split.choices[int(i)] for i in rows]
    answers = None if split.answers is None else [split.answers[int(i)] for i in rows]
    if split.labels is None:
        return Split(first, second, None, split.words, choices, answers)
    if not split.words:
        return Split(first, second, split.labels[rows], choices=choices, answers=answers)
    ends = np.cumsum([len(words) for words in split.first])
    places = [np.arange(ends[i] - len(split.first[int(i)]), ends[i]) for i in rows]
    return Split(first, second, split.labels[np.concatenate(places)], words=True)
