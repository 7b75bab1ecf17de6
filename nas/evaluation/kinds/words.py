"""A label for each word: names in a text, parts of speech."""

from typing import TYPE_CHECKING

import numpy as np

from nas.evaluation.kinds.base import TASK_KINDS, Scaled, TaskKind
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    from torch import Tensor

    from nas.evaluation.suites.task import Task

# What stands in place of a label: for further tokens of a word, and for special tokens, which part
# one text from the next.
CONTINUED, BETWEEN = -100, -101


class Words(TaskKind):
    """One of some labels for each word; class numbers of the tokens that begin one, `(tokens,)`."""

    name = "words"
    title = "a label for each word"
    metrics = ("entity_f1",)
    allowed = ("entity_f1", "accuracy", "macro_f1")
    reads_tokens = True
    pipeline = "token-classification"
    auto = "AutoModelForTokenClassification"

    def outputs(self, task: "Task") -> int:
        return len(task.labels)

    def loss(self, outputs: "Tensor", labels: "Tensor", scale: Scaled) -> "Tensor":
        from torch.nn.functional import cross_entropy

        return cross_entropy(
            outputs.flatten(0, 1), labels.long().clamp(min=-1).flatten(), ignore_index=-1
        )

    def soft_loss(self, student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
        return TASK_KINDS["classes"].soft_loss(student, teacher, temperature)

    def answers(self, outputs: "Tensor", scale: Scaled) -> "Tensor":
        return outputs.argmax(-1).where(outputs.isfinite().all(-1), np.nan)

    def probabilities(self, outputs: "Tensor") -> "Tensor":
        return outputs.softmax(-1)

    def constant(self, labels: np.ndarray) -> float:
        values, counts = np.unique(labels[labels >= 0], return_counts=True)
        return float(values[counts.argmax()])

    def check(self, task: "Task") -> None:
        super().check(task)
        if len(task.labels) < 2 or len(set(task.labels)) < len(task.labels):
            raise InvalidData(f"{task.name} needs at least two labels of words, each named once.")

    def check_labels(self, task: "Task", labels: np.ndarray) -> str | None:
        allowed = (BETWEEN, CONTINUED, *range(len(task.labels)))
        return None if np.isin(labels, allowed).all() else "it has labels that the task has not"

    def for_metric(
        self, metric: str, task: "Task", predictions: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if metric != "entity_f1":
            there = labels >= 0
            return predictions[there], labels[there]
        names = np.array([*task.labels, ""], dtype=object)
        kept = labels != CONTINUED
        answers = np.where(labels >= 0, predictions, -1)[kept].astype(int)
        return names[answers], names[np.maximum(labels, -1)[kept].astype(int)]


TASK_KINDS.register(Words.name)(Words())
