"""Sharpness-aware minimisation: the gradient of the worst point nearby moves the weights.

Source: Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization", ICLR
2021; the published training of encoders with it: Zhong et al., "Improving Sharpness-Aware
Minimization with Fisher Mask for Better Generalization on Language Models", Findings of EMNLP 2022.
Differs on purpose: both passes of a step see the same dropout and the same draws; the perturbation
is one over all groups (the released code repeats it for each), and weights are put back from a
copy.
"""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor
from torch.optim import Optimizer

from nas.training.optimizers.base import KEPT, OPTIMIZERS, Parameters, optimizer_kind, two_moments
from nas.training.optimizers.joined import Joined
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

BASE = Setting("adamw", "name", ("adamw", "muon", "stableadamw", "adahessian"), weight=0.04)
RADIUS = Setting(0.05)


class SharpnessAware(Joined):
    """Steps another optimizer with gradients taken uphill of the weights.

    Args:
        base: Moves the weights.
        radius: How far uphill, of all parameters together.
    """

    def __init__(self, base: Optimizer, radius: float):
        super().__init__(base)
        self._radius = radius
        self._kept: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def ascend(self) -> None:
        """Move up along the gradients that parameters have, and forget these."""
        reached = [p for g in self.param_groups for p in g["params"] if p.grad is not None]
        norm = torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(p.grad.float()) for p in reached])
        )
        # a copy of each: what was added cannot be taken away again to the last bit
        self._kept = [(p, p.detach().clone()) for p in reached]
        for p in reached:
            p.add_(self._direction(p) * (self._radius / (norm + 1e-12)))
        self.zero_grad()

    def _direction(self, parameter: Tensor) -> Tensor:
        return parameter.grad

    @torch.no_grad()
    def descend(self) -> None:
        """Put the weights back."""
        for p, value in self._kept:
            p.copy_(value)
        self._kept = []


def base_keeps(shape: Iterable[int], *, decays: bool, base: str, **settings: object) -> int:
    """Return the numbers that the wrapped optimizer keeps of a parameter."""
    return KEPT.get(base, two_moments)(shape, decays=decays)


@optimizer_kind(
    Kind("sam", "against the worst point nearby", {"base": BASE, "radius": RADIUS}), base_keeps
)
def sam(
    decayed: Parameters,
    kept: Parameters,
    *,
    learning_rate: float,
    weight_decay: float,
    base: str,
    radius: float,
) -> Optimizer:
    """Return SAM around the optimizer called `base`, at its default settings."""
    inner = based(base)(decayed, kept, learning_rate=learning_rate, weight_decay=weight_decay)
    return SharpnessAware(inner, radius)


def based(name: str) -> partial:
    """Return what makes the optimizer of a name, its settings at their defaults."""
    kind = SLOTS["optimizer"].kinds[name]
    return partial(OPTIMIZERS[name], **{k: s.default for k, s in kind.settings.items()})
