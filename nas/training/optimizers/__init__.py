"""Optimizers. Importing this package registers each module below; the list is the index."""

from nas.training.optimizers.adahessian import adahessian  # adahessian
from nas.training.optimizers.adamw import adamw  # adamw
from nas.training.optimizers.base import OPTIMIZERS, MakeOptimizer, kept_bytes, optimizer_of
from nas.training.optimizers.fsam import fsam  # fsam
from nas.training.optimizers.gradnormlorp import gradnormlorp  # gradnormlorp
from nas.training.optimizers.muon import muon  # muon
from nas.training.optimizers.sam import sam  # sam
from nas.training.optimizers.stableadamw import stableadamw  # stableadamw

__all__ = [
    "OPTIMIZERS",
    "MakeOptimizer",
    "adahessian",
    "adamw",
    "fsam",
    "gradnormlorp",
    "kept_bytes",
    "muon",
    "optimizer_of",
    "sam",
    "stableadamw",
]
