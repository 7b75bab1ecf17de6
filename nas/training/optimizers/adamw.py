"""Adam with decoupled weight decay.

Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
"""

import torch
from torch.optim import Optimizer

from nas.training.optimizers.base import OPTIMIZERS, Parameters


@OPTIMIZERS.register("adamw")
def adamw(
    decayed: Parameters, kept: Parameters, *, learning_rate: float, weight_decay: float
) -> Optimizer:
    """Return AdamW; only the parameters in `decayed` decay."""
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": kept, "weight_decay": 0.0},
        ],
        lr=learning_rate,
        betas=(0.9, 0.98),
        eps=1e-6,
        fused=True,
    )
