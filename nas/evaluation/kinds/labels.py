"""Several labels at once, or none: topics of a text, what is in a picture's caption."""

from typing import TYPE_CHECKING

import numpy as np

from nas.evaluation.class_figures import class_figures, figures_of
from nas.evaluation.kinds.base import TASK_KINDS, Examples, Scaled, TaskKind, excerpt
from nas.evaluation.mistakes import Mistakes, worst_of
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    from torch import Tensor

    from nas.evaluation.suites.task import Task

SEPARATOR = "|"  # between labels in a cell
NONE = "(none)"  # what people read where a text has no label


class Labels(TaskKind):
    """Any number of some labels; each is 0 or 1 by itself, `(n, labels)`."""

    name = "labels"
    title = "several labels at once"
    metrics = ("micro_f1", "macro_f1")
    allowed = ("micro_f1", "macro_f1", "exact_match", "auc")
    problem_type = "multi_label_classification"

    def outputs(self, task: "Task") -> int:
        return len(task.labels)

    def loss(self, outputs: "Tensor", labels: "Tensor", scale: Scaled) -> "Tensor":
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(outputs, labels)

    def soft_loss(self, student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
        from torch.nn.functional import binary_cross_entropy_with_logits

        goal = (teacher / temperature).sigmoid()
        return binary_cross_entropy_with_logits(student / temperature, goal) * temperature**2

    def answers(self, outputs: "Tensor", scale: Scaled) -> "Tensor":
        return (outputs > 0).to(outputs.dtype).where(outputs.isfinite(), np.nan)

    def probabilities(self, outputs: "Tensor") -> "Tensor":
        return outputs.sigmoid()

    def constant(self, labels: np.ndarray) -> np.ndarray:
        found = (labels.mean(0) > 0.5).astype(np.float64)
        if not found.any():  # none at all scores nothing: the most frequent one does
            found[labels.sum(0).argmax()] = 1.0
        return found

    def check(self, task: "Task") -> None:
        super().check(task)
        if not task.labels or len(set(task.labels)) < len(task.labels):
            raise InvalidData(f"{task.name} needs labels, each named once.")

    def check_labels(self, task: "Task", labels: np.ndarray) -> str | None:
        if labels.ndim != 2 or labels.shape[1] != len(task.labels):
            return f"it has the shape {labels.shape}"
        return None if np.isin(labels, (0, 1)).all() else "it has labels other than 0 and 1"

    def mistakes(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray
    ) -> Mistakes:
        rights, said = np.asarray(split.labels) > 0, answers > 0
        figures = class_figures((rights & said).sum(0), said.sum(0), rights.sum(0))
        wrong = rights != said
        of_wrong = np.where(wrong, np.where(said, sure, 1 - sure), 0.0).max(1)
        return Mistakes(
            examples=len(answers),
            wrong=int(wrong.any(1).sum()),
            what="label",
            **figures_of(task.labels, figures),
            worst=worst_of(
                wrong.any(1),
                of_wrong,
                lambda i: (
                    excerpt(split, i),
                    *(self.texts(task, values[[i]])[0] or NONE for values in (rights, said)),
                ),
            ),
        )

    def texts(self, task: "Task", answers: np.ndarray) -> list[str]:
        names = np.array(task.labels, dtype=object)
        return [SEPARATOR.join(names[row > 0]) for row in answers]

    def sure_texts(self, answers: np.ndarray, sure: np.ndarray) -> list[str]:
        return [
            SEPARATOR.join(f"{value:.4f}" for value in row[told > 0])
            for told, row in zip(answers, sure, strict=True)
        ]


TASK_KINDS.register(Labels.name)(Labels())
