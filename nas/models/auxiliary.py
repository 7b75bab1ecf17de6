"""What kinds of modules want in training beside the objective: that experts are used evenly.

A module that wants something sets its attribute `auxiliary` in every forward pass of training, a
scalar with its weight in the loss, and has None there otherwise.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def take_auxiliary(modules: Iterable[nn.Module]) -> Tensor | None:
    """Return the mean of what modules and those inside want, and forget it; None for nothing.

    The mean over layers, not the sum: its weight does not depend on the depth.
    """
    wanted = []
    for part in {id(part): part for module in modules for part in module.modules()}.values():
        value = getattr(part, "auxiliary", None)
        if isinstance(value, Tensor):
            wanted.append(value)
            part.auxiliary = None
    return torch.stack(wanted).mean() if wanted else None
