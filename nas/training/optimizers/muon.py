"""Momentum made orthogonal for matrices, AdamW for everything else.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al.,
"Muon is Scalable for LLM Training", 2025 (the size of a step is that of AdamW, so that one learning
rate and one weight decay serve both). The step is `torch.optim.Muon`.
Differs on purpose: the maps of output heads are matrices like all others; the published recipe
gives the last layer to AdamW, which cannot be told here and is two rows of a classifier.
"""

from collections.abc import Iterable
from math import prod

import torch
from torch.optim import Optimizer

from nas.training.optimizers.adamw import adamw
from nas.training.optimizers.base import Parameters, optimizer_kind
from nas.training.optimizers.joined import Joined
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import Kind
from search_spaces.parts import Setting


def _keeps(shape: Iterable[int], *, decays: bool, **settings: object) -> int:
    shape = tuple(shape)
    return prod(shape) * (1 if decays and len(shape) == 2 else 2)


@optimizer_kind(
    Kind(
        "muon",
        "orthogonal momentum for matrices, AdamW for the rest",
        {"momentum": Setting(0.95, "line", most=0.999, weight=0.05)},
    ),
    _keeps,
)
def muon(
    decayed: Parameters,
    kept: Parameters,
    *,
    learning_rate: float,
    weight_decay: float,
    momentum: float,
) -> Optimizer:
    """Return Muon for the matrices in `decayed` and AdamW for all other parameters.

    Args:
        decayed: Weight matrices and kernels.
        kept: Biases, norms and embeddings.
        learning_rate: Of both.
        weight_decay: Decoupled, of `decayed`.
        momentum: Nesterov's, of the matrices.
    """
    matrices = [p for p in decayed if p.ndim == 2]
    rest = adamw(
        [p for p in decayed if p.ndim != 2],
        kept,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    if not matrices:
        return rest
    if not hasattr(torch.optim, "Muon"):
        raise InvalidExperiment(
            f"optimizer: muon needs torch 2.9 or later, and this is {torch.__version__}. Run: pip "
            "install -U torch, or write optimizer: adamw."
        )
    orthogonal = torch.optim.Muon(
        matrices,
        lr=learning_rate,
        weight_decay=weight_decay,
        momentum=momentum,
        adjust_lr_fn="match_rms_adamw",
    )
    return Joined(orthogonal, rest)
