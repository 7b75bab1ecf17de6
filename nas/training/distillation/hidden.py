"""The teacher's hidden states, layer by layer, beside its answers.

Source: Jiao et al., "TinyBERT: Distilling BERT for Natural Language Understanding", Findings of
EMNLP 2020; Xia, Zhong and Chen, "Structured Pruning Learns Compact and Accurate Models", ACL 2022.
Differs on purpose: a cut keeps its teacher's channels, so that states are compared as they are,
without a learned map; each layer's error is a share of what the teacher's states vary.
"""

from typing import ClassVar

import torch
from torch import Tensor

from nas.evaluation.suites.task import Task
from nas.training.distillation.base import DISTILLATIONS, Answers, Distillation
from nas.training.distillation.logits import LABELS, STEPS, TEMPERATURE, soft_loss
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["distillation"].kinds.register("hidden")(
    Kind(
        "hidden",
        "the teacher's hidden states and answers",
        {
            "temperature": TEMPERATURE,
            "labels": LABELS,
            "steps": STEPS,
            "states": Setting(1.0, "log", weight=0.02),
        },
    )
)


@DISTILLATIONS.register("hidden")
class HiddenStates(Distillation):
    """The loss of `logits`, and the mean error of the hidden states of all layers.

    Args:
        temperature: What logits are divided by before they are compared.
        labels: Weight of the loss against the labels, beside that against the answers.
        states: Weight of the states' error.
    """

    reads: ClassVar = frozenset({"states"})

    def __init__(self, temperature: float, labels: float, states: float):
        self.temperature, self.labels, self.states = temperature, labels, states

    def loss(self, own: Tensor, student: Answers, teacher: Answers, task: Task) -> Tensor:
        soft = soft_loss(student.outputs, teacher.outputs, self.temperature, task)
        answers = self.labels * own + (1 - self.labels) * soft
        pairs = zip(student.states, teacher.states, strict=True)
        errors = [state_error(mine, its, student.keep) for mine, its in pairs]
        return answers + self.states * torch.stack(errors).mean()


def state_error(student: Tensor, teacher: Tensor, keep: Tensor) -> Tensor:
    """Return the squared error of the real tokens' states over the teacher's variance, a scalar.

    Args:
        student: Hidden states, `(batch, length, width)`.
        teacher: The same of the teacher.
        keep: True for real tokens, `(batch, length)`.
    """
    mine, its = student[keep].float(), teacher[keep].float()
    spread = (its - its.mean(0)).square().mean().clamp(min=1e-6)
    return (mine - its).square().mean() / spread
