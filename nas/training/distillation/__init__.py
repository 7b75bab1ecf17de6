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

__all__ = [
    "DISTILLATIONS",
    "Answers",
    "Distillation",
    "HiddenStates",
    "Lesson",
    "Logits",
    "distillation_of",
]
