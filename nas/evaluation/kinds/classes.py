"""One of two or more classes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nas.evaluation.class_figures import told_apart
from nas.evaluation.kinds.base import TASK_KINDS, Examples, Scaled, TaskKind, excerpt
from nas.evaluation.mistakes import Mistakes, worst_of
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    from torch import Tensor

    from nas.evaluation.suites.task import Task


_OF_TWO = ("f1", "matthews")


class Classes(TaskKind):
    """Exactly one of some classes; labels are class numbers, `(n,)`."""

    name = "classes"
    title = "classes"
    metrics = ("accuracy", "macro_f1")
    allowed = ("accuracy", "macro_f1", "f1", "matthews", "auc")
    problem_type = "single_label_classification"

    def outputs(self, task: "Task") -> int:
        return max(1, len(task.labels))

    def loss(self, outputs: "Tensor", labels: "Tensor", scale: Scaled) -> "Tensor":
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, labels.long())

    def soft_loss(self, student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
        from torch.nn.functional import kl_div, log_softmax

        soft = kl_div(
            log_softmax(student / temperature, -1),
            log_softmax(teacher / temperature, -1),
            reduction="batchmean",
            log_target=True,
        )
        return soft * temperature**2

    def answers(self, outputs: "Tensor", scale: Scaled) -> "Tensor":
        # a row of NaN has no largest entry; keep it visible instead of calling it class 0
        return outputs.argmax(1).where(outputs.isfinite().all(1), np.nan)

    def probabilities(self, outputs: "Tensor") -> "Tensor":
        return outputs.softmax(-1)

    def constant(self, labels: np.ndarray) -> float:
        values, counts = np.unique(labels, return_counts=True)
        return float(values[counts.argmax()])

    def check(self, task: "Task") -> None:
        super().check(task)
        count = len(task.labels)
        if count < 2 or len(set(task.labels)) < count:
            raise InvalidData(f"{task.name} needs at least two classes, each named once.")
        binary = [name for name in task.metrics if name in _OF_TWO]
        if count > 2 and binary:
            raise InvalidData(
                f"The metric {binary[0]!r} is of two classes, and {task.name} has {count}. Take "
                "accuracy, macro_f1 or auc."
            )

    def check_labels(self, task: "Task", labels: np.ndarray) -> str | None:
        count = max(1, len(task.labels))
        if labels.ndim == 1 and np.isin(labels, np.arange(count)).all():
            return None
        return f"it has labels other than 0 to {count - 1}"

    def mistakes(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray
    ) -> Mistakes:
        return Mistakes(
            **told_apart(task.labels, split.labels, answers),
            **wrong_answers(task, split, answers, sure),
        )

    def texts(self, task: "Task", answers: np.ndarray) -> list[str]:
        return [task.labels[int(number)] for number in answers]


def wrong_answers(
    task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray
) -> dict[str, Any]:
    """Return how many of the answers are wrong, and the surest of those."""
    wrong = split.labels != answers
    return {
        "examples": len(answers),
        "wrong": int(wrong.sum()),
        "worst": worst_of(
            wrong,
            sure.max(1),
            lambda i: (
                excerpt(split, i),
                *(task.labels[int(values[i])] for values in (split.labels, answers)),
            ),
        ),
    }


TASK_KINDS.register(Classes.name)(Classes())
