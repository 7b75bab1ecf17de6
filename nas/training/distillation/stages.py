"""Four stages from general to particular: whose states are learned, on what text, then answers.

Source: Su et al., "ERNIE-Tiny: A Progressive Distillation Framework for Pretrained Transformer
Compression", 2021 (general distillation, general-enhanced distillation, task-adaptive distillation,
task-specific distillation).
Differs on purpose: general text is that of all tasks of the run; a cut keeps its teacher's layers,
channels and some of its heads, so that each is compared with the one it was, without learned maps;
errors are shares of what the teacher's values vary. The shares of the steps are ours.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nas.evaluation.suites.task import Task
from nas.teachers.attention import Attention, both_see
from nas.training.distillation.base import DISTILLATIONS, Answers, Distillation
from nas.training.distillation.hidden import state_error
from nas.training.distillation.logits import STEPS, soft_loss
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["distillation"].kinds.register("stages")(
    Kind(
        "stages",
        "states and attention of the teacher as it came, then fine-tuned, then on the task",
        {
            "temperature": Setting(1.0, "log", weight=0.02),
            "general": Setting(0.4, "line", most=1, weight=0.05),
            "steps": STEPS,
        },
    )
)


@dataclass(frozen=True)
class Stage:
    """What one stage learns from.

    Attributes:
        name: In the words of the paper.
        tuned: Whether the teacher is fine-tuned on the task, and not as it came.
        general: Whether the text is that of all tasks, and not this one's.
        answers: Whether labels and answers count beside states and attention.
    """

    name: str
    tuned: bool
    general: bool
    answers: bool


# from one to the next one or two things change
STAGES = (
    Stage("general", tuned=False, general=True, answers=False),
    Stage("general-enhanced", tuned=True, general=True, answers=False),
    Stage("task-adaptive", tuned=True, general=False, answers=False),
    Stage("task-specific", tuned=True, general=False, answers=True),
)


class OneStage(Distillation):
    """The loss of one stage.

    Args:
        stage: Which.
        temperature: What logits are divided by before they are compared.
    """

    reads: ClassVar = frozenset({"states", "attention"})

    def __init__(self, stage: Stage, temperature: float):
        self.stage, self.temperature = stage, temperature
        self.general, self.tuned = stage.general, stage.tuned

    def loss(self, own: Tensor, student: Answers, teacher: Answers, task: Task) -> Tensor:
        latent = latent_loss(student, teacher)
        if not self.stage.answers:
            return latent
        return latent + soft_loss(student.outputs, teacher.outputs, self.temperature, task) + own


@DISTILLATIONS.register("stages")
class Stages(OneStage):
    """Four losses one after the other; at the end the last of them.

    Args:
        temperature: What logits are divided by before they are compared.
        general: Share of the steps on the text of all tasks, half with each teacher; what is left
            is half states and attention alone, half everything.
    """

    def __init__(self, temperature: float, general: float):
        super().__init__(STAGES[-1], temperature)
        half, rest = general / 2, (1 - general) / 2
        self.ends = (half, general, general + rest, 1.0)

    def during(self, progress: float, layers: int) -> Distillation:
        number = next((n for n, end in enumerate(self.ends) if progress < end), len(STAGES) - 1)
        return OneStage(STAGES[number], self.temperature)


def latent_loss(student: Answers, teacher: Answers) -> Tensor:
    """Return the mean error of states and of attention scores over the layers, their sum."""
    keep = student.keep
    pairs = zip(student.states, teacher.states, strict=True)
    states = [state_error(mine, its, keep) for mine, its in pairs]
    both = zip(student.attention, teacher.attention, strict=True)
    seen = [score_error(mine, its, keep) for mine, its in both]
    return torch.stack(states).mean() + torch.stack(seen).mean()


def score_error(student: Attention, teacher: Attention, keep: Tensor) -> Tensor:
    """Return the squared error of scores over the teacher's variance, a scalar.

    Those count of real tokens for real tokens that both see.
    """
    real = keep[:, None, :, None] & keep[:, None, None, :]
    seen = both_see(student, teacher)
    real = real if seen is None else real & seen
    mine, its = (of.scores.float().masked_select(real) for of in (student, teacher))
    return (mine - its).square().mean() / its.var(correction=0).clamp(min=1e-6)
