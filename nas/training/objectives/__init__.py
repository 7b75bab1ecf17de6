"""Objectives of pre-training. Importing this package registers each module below."""

from nas.training.objectives.base import (
    PRETRAINING_OBJECTIVES,
    PretrainingObjective,
    objectives_of,
    own_modules,
)
from nas.training.objectives.mlm import MaskedTokens  # mlm

__all__ = [
    "PRETRAINING_OBJECTIVES",
    "MaskedTokens",
    "PretrainingObjective",
    "objectives_of",
    "own_modules",
]
