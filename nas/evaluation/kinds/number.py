"""A number, such as a similarity or a price."""

from typing import TYPE_CHECKING

import numpy as np

from nas.evaluation.kinds.base import TASK_KINDS, Examples, Scaled, TaskKind, excerpt
from nas.evaluation.mistakes import Mistakes, worst_of

if TYPE_CHECKING:
    from torch import Tensor

    from nas.evaluation.suites.task import Task


class Number(TaskKind):
    """One number; labels are these numbers, `(n,)`, learned with mean 0 and deviation 1."""

    name = "number"
    title = "a number"
    metrics = ("pearson", "spearman")
    allowed = ("pearson", "spearman")
    problem_type = "regression"

    def outputs(self, task: "Task") -> int:
        return 1

    def loss(self, outputs: "Tensor", labels: "Tensor", scale: Scaled) -> "Tensor":
        from torch.nn.functional import mse_loss

        return mse_loss(outputs.squeeze(1), (labels - scale.mean) / scale.deviation)

    def soft_loss(self, student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
        from torch.nn.functional import mse_loss

        return mse_loss(student, teacher)

    def answers(self, outputs: "Tensor", scale: Scaled) -> "Tensor":
        return outputs.squeeze(1) * scale.deviation + scale.mean

    def constant(self, labels: np.ndarray) -> float:
        return float(labels.mean())

    def mistakes(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray | None
    ) -> Mistakes:
        off = np.abs(split.labels - answers)
        words = (self.texts(task, values) for values in (split.labels, answers))
        right, said = words
        return Mistakes(
            examples=len(answers),
            mean_error=float(off.mean()),
            worst=worst_of(off > 0, off, lambda i: (excerpt(split, i), right[i], said[i])),
        )


TASK_KINDS.register(Number.name)(Number())
