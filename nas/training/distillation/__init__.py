"""Ways to learn from a teacher. Importing this package registers each module below."""

from nas.training.distillation.base import (
    DISTILLATIONS,
    Answers,
    Distillation,
    Lesson,
    distillation_of,
)
from nas.training.distillation.hidden import HiddenStates  # hidden
from nas.training.distillation.logits import Logits  # logits
from nas.training.distillation.relations import Relations  # relations
from nas.training.distillation.stages import Stages  # stages
from nas.training.distillation.transfer import Transfer  # transfer

__all__ = [
    "DISTILLATIONS",
    "Answers",
    "Distillation",
    "HiddenStates",
    "Lesson",
    "Logits",
    "Relations",
    "Stages",
    "Transfer",
    "distillation_of",
]
