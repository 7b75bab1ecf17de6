"""Objectives of pre-training. Importing this package registers each module below."""

from nas.training.objectives.base import (
    PRETRAINING_OBJECTIVES,
    PretrainingObjective,
    objectives_of,
    own_modules,
)
from nas.training.objectives.clm import NextTokens  # clm
from nas.training.objectives.contrastive import Contrastive  # contrastive
from nas.training.objectives.e2s2 import NoisyTexts  # e2s2
from nas.training.objectives.instruction import instruction  # instruction
from nas.training.objectives.mlm import MaskedTokens  # mlm
from nas.training.objectives.order import PairOrder  # nsp, sso
from nas.training.objectives.rtd import ReplacedTokens  # rtd
from nas.training.objectives.wso import WordOrder  # wso

__all__ = [
    "PRETRAINING_OBJECTIVES",
    "Contrastive",
    "MaskedTokens",
    "NextTokens",
    "NoisyTexts",
    "PairOrder",
    "PretrainingObjective",
    "ReplacedTokens",
    "WordOrder",
    "instruction",
    "objectives_of",
    "own_modules",
]
