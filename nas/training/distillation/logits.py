"""The teacher's answers as soft labels.

Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015.
"""

from torch import Tensor

from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.training.distillation.base import DISTILLATIONS, Answers, Distillation
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

TEMPERATURE = Setting(2.0, "log", weight=0.02)
LABELS = Setting(0.3, "line", most=1, weight=0.05)
# In how many steps a student that keeps less than half is cut out of its teacher: see
# `nas.training.in_steps`. Every kind may offer it.
STEPS = Setting(1, "log", least=1, most=16, weight=0.02)

SLOTS["distillation"].kinds.register("logits")(
    Kind(
        "logits",
        "the teacher's answers",
        {"temperature": TEMPERATURE, "labels": LABELS, "steps": STEPS},
    )
)


@DISTILLATIONS.register("logits")
class Logits(Distillation):
    """A weighted mean of the loss against the labels and that against the teacher's answers.

    Args:
        temperature: What logits are divided by before they are compared.
        labels: Weight of the loss against the labels.
    """

    def __init__(self, temperature: float, labels: float):
        self.temperature, self.labels = temperature, labels

    def loss(self, own: Tensor, student: Answers, teacher: Answers, task: Task) -> Tensor:
        soft = soft_loss(student.outputs, teacher.outputs, self.temperature, task)
        return self.labels * own + (1 - self.labels) * soft


def soft_loss(student: Tensor, teacher: Tensor, temperature: float, task: Task) -> Tensor:
    """Return how far answers `(batch, outputs)` are from the teacher's, a scalar.

    The divergence of the softened distributions times the squared temperature, so that gradients
    keep their size; of a regression the mean squared difference.
    """
    return TASK_KINDS[task.kind].soft_loss(student, teacher, temperature)
