"""Objectives of pre-training. Importing this package registers each module below."""

from nas.training.objectives.base import OBJECTIVES, Objective, objectives_of
from nas.training.objectives.mlm import MaskedTokens  # mlm

__all__ = ["OBJECTIVES", "MaskedTokens", "Objective", "objectives_of"]
