"""AdamW whose step shrinks where the gradient is larger than its second moment says.

Source: Wortsman et al., "Stable and low-precision training for large-scale vision-language models",
NeurIPS 2023, algorithm 2; used by Warner et al., "ModernBERT", 2024.
"""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from nas.training.optimizers.base import Parameters, optimizer_kind
from search_spaces.kinds import Kind

BETAS, EPSILON = (0.9, 0.98), 1e-6


class StableAdamW(Optimizer):
    """Adam with decoupled decay and a learning rate of each tensor's own.

    A tensor's rate is the group's over the root mean square of its gradient divided by its second
    moment, where that is above 1: Adafactor's update clipping.

    Args:
        groups: Parameters with a "weight_decay" each.
        lr: Learning rate.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float):
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move all parameters that have a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._move(parameters, group["lr"], group["weight_decay"])

    def _move(self, parameters: list[Tensor], rate: float, decay: float) -> None:
        # lists of tensors at once: a small encoder's step would be mostly the calls
        first, second = BETAS
        gradients = [p.grad for p in parameters]
        states = [self._state(p) for p in parameters]
        slopes = [state["exp_avg"] for state in states]
        squares = [state["exp_avg_sq"] for state in states]
        steps = []
        for state in states:
            state["step"] += 1
            steps.append(float(state["step"]))
        torch._foreach_lerp_(slopes, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        moments = torch._foreach_div(squares, [1 - second**t for t in steps])
        surprise = torch._foreach_mul(gradients, gradients)
        torch._foreach_div_(surprise, torch._foreach_clamp_min(moments, EPSILON**2))
        torch._foreach_sqrt_(moments)
        torch._foreach_add_(moments, EPSILON)
        updates = torch._foreach_div(slopes, [1 - first**t for t in steps])
        torch._foreach_div_(updates, moments)
        for p, update, excess in zip(parameters, updates, surprise, strict=True):
            own = rate / excess.mean().sqrt().clamp(min=1.0)
            p.mul_(1 - own * decay)
            p.sub_(update * own)

    def _state(self, parameter: Tensor) -> dict[str, Tensor]:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        return state


@optimizer_kind(Kind("stableadamw", "AdamW that takes smaller steps where gradients surprise"))
def stableadamw(
    decayed: Parameters, kept: Parameters, *, learning_rate: float, weight_decay: float
) -> Optimizer:
    """Return StableAdamW; only the parameters in `decayed` decay."""
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept}]
    return StableAdamW(groups, learning_rate)
