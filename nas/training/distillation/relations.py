"""How the last layer's queries relate to each other, its keys, its values: as the teacher's do.

Source: Wang et al., "MiniLMv2: Multi-Head Self-Attention Relation Distillation for Compressing
Pretrained Transformers", Findings of ACL 2021; relations between values: Wang et al., "MiniLM",
NeurIPS 2020.
Differs on purpose: beside labels and answers, since it is a task that is learnt; where the student
keeps too few heads for the number of relation heads, there are as many as both can be split into.
"""

import math
from typing import ClassVar

from torch import Tensor

from nas.evaluation.suites.task import Task
from nas.models.mixers.base import join_heads
from nas.teachers.attention import Attention
from nas.training.distillation.base import DISTILLATIONS, Answers, Distillation
from nas.training.distillation.divergence import row_divergence
from nas.training.distillation.logits import LABELS, STEPS, TEMPERATURE, soft_loss
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["distillation"].kinds.register("relations")(
    Kind(
        "relations",
        "relations between the last layer's queries, keys and values",
        {
            "temperature": TEMPERATURE,
            "labels": LABELS,
            "steps": STEPS,
            "relations": Setting(1.0, "log", weight=0.02),
            "heads": Setting(12, "log", weight=0.02),
        },
    )
)


@DISTILLATIONS.register("relations")
class Relations(Distillation):
    """The loss of `logits`, and the mean divergence of three relations of the last layer.

    Args:
        temperature: What logits are divided by before they are compared.
        labels: Weight of the loss against the labels, beside that against the answers.
        relations: Weight of the relations.
        heads: Relation heads that queries, keys and values are split into, at most.
    """

    reads: ClassVar = frozenset({"last"})

    def __init__(self, temperature: float, labels: float, relations: float, heads: int):
        self.temperature, self.labels = temperature, labels
        self.relations, self.heads = relations, heads

    def loss(self, own: Tensor, student: Answers, teacher: Answers, task: Task) -> Tensor:
        soft = soft_loss(student.outputs, teacher.outputs, self.temperature, task)
        answers = self.labels * own + (1 - self.labels) * soft
        return answers + self.relations * relation_loss(
            student.last, teacher.last, student.keep, self.heads
        )


def relation_loss(student: Attention, teacher: Attention, keep: Tensor, heads: int) -> Tensor:
    """Return the divergence of the three relations of a layer, their mean, a scalar.

    Args:
        student: What its layer attends to.
        teacher: The same of the teacher, of any number and width of heads.
        keep: True for real tokens, `(batch, length)`.
        heads: How many relation heads, at most: they must divide the width of both.
    """
    widths = [of.query.shape[1] * of.query.shape[3] for of in (student, teacher)]
    both = math.gcd(*widths)
    heads = max(n for n in range(1, min(heads, both) + 1) if both % n == 0)
    pairs = [(getattr(student, part), getattr(teacher, part)) for part in ("query", "key", "value")]
    losses = [
        row_divergence(_relation(mine, heads), _relation(its, heads), keep) for mine, its in pairs
    ]
    return sum(losses) / len(losses)


def _relation(vectors: Tensor, heads: int) -> Tensor:
    """Return the scaled products `(batch, heads, length, length)` of a layer's vectors."""
    split = join_heads(vectors.float()).unflatten(-1, (heads, -1)).transpose(1, 2)
    return split @ split.transpose(2, 3) / math.sqrt(split.shape[-1])
