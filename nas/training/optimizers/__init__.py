"""Optimizers. Importing this package registers each module below; the list is the index."""

from nas.training.optimizers.adamw import adamw  # adamw
from nas.training.optimizers.base import OPTIMIZERS, MakeOptimizer, optimizer_of

__all__ = ["OPTIMIZERS", "MakeOptimizer", "adamw", "optimizer_of"]
