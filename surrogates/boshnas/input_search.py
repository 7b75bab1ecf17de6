"""Second-order ascent of an acquisition over its input, all restarts in one batch.

Source: AdaHessian: Yao et al., "ADAHESSIAN: An Adaptive Second Order Optimizer for Machine
Learning", AAAI 2021; searching the input of the surrogate with it: Tuli et al., "GOBI", IEEE TPDS
2022, and "FlexiBERT", JAIR 2023.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

BETAS, EPSILON = (0.9, 0.999), 1e-4


class AdaHessian:
    """Steps of a point by its gradient over the root mean square of its curvature.

    Args:
        shape: Of the point; each entry has its own averages.
    """

    def __init__(self, shape: tuple[int, ...]):
        self._slope = torch.zeros(shape, dtype=torch.float64)
        self._curvature = torch.zeros(shape, dtype=torch.float64)
        self._steps = 0

    def step(self, gradient: Tensor, curvature: Tensor, rate: float) -> Tensor:
        """Return what to subtract from the point to descend.

        Args:
            gradient: First derivatives.
            curvature: An estimate of the diagonal of the Hessian; its sign does not matter.
            rate: Step size.
        """
        self._steps += 1
        first, second = BETAS
        self._slope = first * self._slope + (1 - first) * gradient
        self._curvature = second * self._curvature + (1 - second) * curvature**2
        slope = self._slope / (1 - first**self._steps)
        scale = (self._curvature / (1 - second**self._steps)).sqrt() + EPSILON
        return rate * slope / scale


def slope_and_curvature(
    value: Callable[[Tensor], Tensor], points: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return gradient and Hutchinson's estimate of the diagonal of the Hessian of each point.

    Args:
        value: Maps points `(n, width)` to one number each, `(n,)`, row by row.
        points: `(n, width)`, float64.
        generator: Draws the Rademacher vectors.

    Returns:
        Both `(n, width)`.
    """
    points = points.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(value(points).sum(), points, create_graph=True)
    signs = torch.randint(0, 2, points.shape, generator=generator, dtype=torch.float64) * 2 - 1
    (product,) = torch.autograd.grad((gradient * signs).sum(), points)
    return gradient.detach(), signs * product


def climb(
    value: Callable[[Tensor], Tensor],
    starts: Tensor,
    low: Tensor,
    high: Tensor,
    rates: Iterable[float],
    generator: torch.Generator,
    *,
    second_order: bool = True,
) -> Tensor:
    """Move every start uphill inside a box and return where each ended, `(n, width)`.

    Args:
        value: To maximise; see `slope_and_curvature`.
        starts: `(n, width)`, float64.
        low: Lower corner of the box, `(width,)`.
        high: Upper corner, `(width,)`.
        rates: One step size per step; without `second_order`, of plain gradient ascent.
        generator: For the curvature estimates.
        second_order: Divide by the curvature.
    """
    points, optimiser = starts.clone(), AdaHessian(tuple(starts.shape))
    for rate in rates:
        gradient, curvature = slope_and_curvature(value, points, generator)
        if second_order:
            points = points - optimiser.step(-gradient, curvature, rate)
        else:
            points = points + rate * gradient
        points = torch.minimum(torch.maximum(points, low), high)
    return points
