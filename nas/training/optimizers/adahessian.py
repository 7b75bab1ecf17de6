"""Adam with the curvature in place of the gradient's size.

Source: Yao et al., "ADAHESSIAN: An Adaptive Second Order Optimizer for Machine Learning", AAAI
2021. The published code's mean over a block is of the absolute estimate, and so is ours.
Differs on purpose: several groups, parameters without gradient and batches in parts work; the
published code counts gradients inside one group. Its learning rate of 0.15 is far from that of
Adam: a recipe's is multiplied by `rate`, so that one recipe serves both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer

from nas.training.optimizers.base import Parameters, optimizer_kind
from search_spaces.kinds import Kind
from search_spaces.parts import Setting

BETAS, EPSILON = (0.9, 0.999), 1e-4


class AdaHessian(Optimizer):
    """Divides the slope by the root mean square of an estimate of the Hessian's diagonal.

    Hutchinson's estimate: the Hessian times a vector of random signs, one draw a step. Its absolute
    value is averaged over each row of a matrix, or over blocks of a row, over each kernel of more
    dimensions, and not at all for vectors.

    Args:
        groups: Parameters with a "weight_decay" each.
        lr: Learning rate.
        power: Exponent of the curvature: 1 is a damped Newton step, 0 gradient descent.
        block: Numbers of a matrix row that share a curvature; 0 for the whole row.
        rate: Factor of the learning rate.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        lr: float,
        *,
        power: float = 1.0,
        block: int = 0,
        rate: float = 1.0,
    ):
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0})
        self._power, self._block, self._rate = power, block, rate
        self._signs: dict[Tensor, Tensor] = {}
        self._products: dict[Tensor, Tensor] = {}

    @contextmanager
    def kernels(self) -> Iterator[None]:
        """Attention by plain matrix products: the fused kernels have no second derivative."""
        with sdpa_kernel(SDPBackend.MATH):
            yield

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss, and its derivative along the signs of this step."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
        reached = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]
        for p, gradient in reached:
            p.grad = gradient.detach() if p.grad is None else p.grad + gradient.detach()
            if p not in self._signs:
                self._signs[p] = torch.randint_like(p, 2) * 2 - 1
        # a gradient that is the same everywhere has no graph
        curved = [(p, g) for p, g in reached if g.requires_grad]
        products = torch.autograd.grad(
            [g for _, g in curved],
            [p for p, _ in curved],
            [self._signs[p] for p, _ in curved],
            allow_unused=True,
        ) if curved else ()  # fmt: skip
        for (p, _), product in zip(curved, products, strict=True):
            if product is not None:
                self._products[p] = self._products.get(p, 0) + product

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002  torch's
        """Forget gradients, curvature and signs."""
        super().zero_grad(set_to_none)
        self._signs.clear()
        self._products.clear()

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move all parameters that have a gradient.

        Raises:
            RuntimeError: The gradients are not from `backward`: there is no curvature.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, self._rate * group["lr"], group["weight_decay"])

    def _move(self, p: Tensor, rate: float, decay: float) -> None:
        if p not in self._signs:
            raise RuntimeError("AdaHessian needs gradients from its own `backward(loss)`.")
        product = self._products.get(p)
        curvature = torch.zeros_like(p) if product is None else self._averaged(product.abs())
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        steps, (first, second) = float(state["step"]), BETAS
        state["exp_avg"].lerp_(p.grad, 1 - first)
        state["exp_avg_sq"].mul_(second).addcmul_(curvature, curvature, value=1 - second)
        scale = (state["exp_avg_sq"] / (1 - second**steps)).sqrt().pow(self._power) + EPSILON
        p.mul_(1 - rate * decay)
        p.addcdiv_(state["exp_avg"], scale, value=-rate / (1 - first**steps))

    def _averaged(self, size: Tensor) -> Tensor:
        if size.ndim < 2:
            return size
        if size.ndim > 2:
            return size.mean(dim=tuple(range(2, size.ndim)), keepdim=True).expand_as(size)
        width = size.shape[1]
        if not self._block or width % self._block:
            return size.mean(dim=1, keepdim=True).expand_as(size)
        blocks = size.reshape(len(size), -1, self._block)
        return blocks.mean(dim=2, keepdim=True).expand_as(blocks).reshape(size.shape)


@optimizer_kind(
    Kind(
        "adahessian",
        "Adam with the curvature in place of the gradient's size",
        {
            "power": Setting(1.0, "line", most=1, weight=0.05),
            "block": Setting(0, "line", weight=0.001),
            "rate": Setting(75.0),
        },
    )
)
def adahessian(
    decayed: Parameters,
    kept: Parameters,
    *,
    learning_rate: float,
    weight_decay: float,
    power: float,
    block: int,
    rate: float,
) -> Optimizer:
    """Return AdaHessian; only the parameters in `decayed` decay."""
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept}]
    return AdaHessian(groups, learning_rate, power=power, block=block, rate=rate)
