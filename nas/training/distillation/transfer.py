"""Layer by layer the teacher's feature maps and attention: before its answers, or beside them.

Source: Sun et al., "MobileBERT: a Compact Task-Agnostic BERT for Resource-Limited Devices", ACL
2020 (feature map transfer, attention transfer; auxiliary, joint and progressive transfer).
Differs on purpose: a cut keeps its teacher's channels and some of its heads, and each head is
compared with the one it was; a feature map's error is a share of what the teacher's varies. Shares
and weights are ours.
"""

from typing import ClassVar

import torch
from torch import Tensor

from nas.evaluation.suites.task import Task
from nas.teachers.attention import both_see
from nas.training.distillation.base import DISTILLATIONS, Answers, Distillation
from nas.training.distillation.divergence import row_divergence
from nas.training.distillation.hidden import state_error
from nas.training.distillation.logits import LABELS, STEPS, TEMPERATURE, Logits
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SCHEDULES = ("progressive", "joint", "auxiliary")

SLOTS["distillation"].kinds.register("transfer")(
    Kind(
        "transfer",
        "feature maps and attention of every layer, then the teacher's answers",
        {
            "temperature": TEMPERATURE,
            "labels": LABELS,
            "steps": STEPS,
            "maps": Setting(1.0, "log", weight=0.02),
            "attention": Setting(1.0, "log", weight=0.02),
            "schedule": Setting("progressive", "name", SCHEDULES, weight=0.05),
            "share": Setting(0.5, "line", most=1, weight=0.05),
        },
    )
)


class LayerTransfer(Distillation):
    """The layers alone: their feature maps and attention, no labels and no answers.

    Args:
        maps: Weight of the feature maps.
        attention: Weight of the attention.
        focus: The only layer that learns; None for all.
    """

    reads: ClassVar = frozenset({"states", "attention"})

    def __init__(self, maps: float, attention: float, focus: int | None = None):
        self.maps, self.attention, self.focus = maps, attention, focus

    def loss(self, own: Tensor, student: Answers, teacher: Answers, task: Task) -> Tensor:
        chosen = slice(None) if self.focus is None else slice(self.focus, self.focus + 1)
        states = zip(student.states[chosen], teacher.states[chosen], strict=True)
        heads = zip(student.attention[chosen], teacher.attention[chosen], strict=True)
        maps = [state_error(mine, its, student.keep) for mine, its in states]
        seen = [
            row_divergence(mine.scores, its.scores, student.keep, both_see(mine, its))
            for mine, its in heads
        ]
        return self.maps * torch.stack(maps).mean() + self.attention * torch.stack(seen).mean()


@DISTILLATIONS.register("transfer")
class Transfer(Distillation):
    """What every layer does, and the loss of `logits`: at once or one after the other.

    Args:
        temperature: What logits are divided by before they are compared.
        labels: Weight of the loss against the labels, beside that against the answers.
        maps: Weight of the feature maps.
        attention: Weight of the attention.
        schedule: "auxiliary" adds the two; "joint" begins with all layers, and "progressive" with
            one layer after the other from below, those below it held, before the answers.
        share: Of the steps for the layers, where they come first.
    """

    reads: ClassVar = frozenset({"states", "attention"})

    def __init__(
        self,
        temperature: float,
        labels: float,
        maps: float,
        attention: float,
        schedule: str,
        share: float,
    ):
        self.maps, self.attention, self.schedule, self.share = maps, attention, schedule, share
        self.answers = Logits(temperature, labels)

    def during(self, progress: float, layers: int) -> Distillation:
        if self.schedule == "auxiliary":
            return self
        if progress >= self.share:
            return self.answers
        number = int(progress / self.share * layers) if self.schedule == "progressive" else None
        return LayerTransfer(self.maps, self.attention, number)

    def loss(self, own: Tensor, student: Answers, teacher: Answers, task: Task) -> Tensor:
        layers = LayerTransfer(self.maps, self.attention)
        return sum(how.loss(own, student, teacher, task) for how in (layers, self.answers))
