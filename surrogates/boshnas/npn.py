"""Gaussian natural-parameter networks: every activation is a mean and a variance.

Source: Wang, Shi, Yeung, "Natural-Parameter Networks", NeurIPS 2016; used as the heteroscedastic
model of Tuli et al., "FlexiBERT", JAIR 2023.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

FLOOR = 1e-8  # of variances: the moment formulas can fall below zero by rounding
ALPHA, BETA = 4 - 2 * math.sqrt(2), -math.log(math.sqrt(2) + 1)


def relu_moments(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of max(0, x) for normal x, any shape.

    The normal distribution function is approximated by a logistic one; within 0.02 of a standard
    deviation.
    """
    spread = variance.sqrt()
    ratio = mean / spread
    above = torch.sigmoid(math.sqrt(8 / math.pi) * ratio)
    density = spread / math.sqrt(2 * math.pi) * torch.exp(-0.5 * ratio**2)
    first = above * mean + density
    second = above * (mean**2 + variance) + mean * density
    return first, (second - first**2).clamp_min(FLOOR)


def sigmoid_moments(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of the logistic function of normal x, any shape, approximately."""
    first = torch.sigmoid(mean / torch.sqrt(1 + math.pi / 8 * variance))
    scale = torch.sqrt(1 + math.pi / 8 * ALPHA**2 * variance)
    second = torch.sigmoid(ALPHA * (mean + BETA) / scale)
    return first, (second - first**2).clamp_min(FLOOR)


class GaussianLinear(nn.Module):
    """A linear layer whose weights and biases are independent normal variables.

    Args:
        width_in: Inputs.
        width_out: Outputs.
        members: Independent copies, computed together.
        generator: For the initial weights.
    """

    def __init__(self, width_in: int, width_out: int, members: int, generator: torch.Generator):
        super().__init__()
        bound = math.sqrt(6 / (width_in + width_out))
        shape = (members, width_in, width_out)
        uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
        self.weight = nn.Parameter((2 * uniform - 1) * bound)
        uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
        # the inverse of softplus, so that variances start between 0 and a hundredth of the bound
        self.weight_raw = nn.Parameter(torch.log(torch.expm1(0.01 * bound * uniform + 1e-6)))
        self.bias = nn.Parameter(torch.zeros(members, 1, width_out, dtype=torch.float64))
        self.bias_raw = nn.Parameter(torch.full_like(self.bias, -10.0))

    def forward(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Map means and variances `(members, n, width_in)` to `(members, n, width_out)`."""
        doubt = softplus(self.weight_raw)
        first = mean @ self.weight + self.bias
        second = variance @ (doubt + self.weight**2) + mean**2 @ doubt
        return first, second + softplus(self.bias_raw)


class NaturalParameterNetwork(nn.Module):
    """Predicts a mean and an aleatoric variance through two hidden layers, in float64.

    Args:
        inputs: Width of the input rows.
        hidden: Width of the two hidden layers.
        members: Independent copies, trained and evaluated together.
        bounded: End in the logistic function, for targets in [0, 1]; else linear.
        generator: For the initial weights.
    """

    def __init__(
        self,
        inputs: int,
        *,
        hidden: int = 32,
        members: int = 1,
        bounded: bool = True,
        generator: torch.Generator,
    ):
        super().__init__()
        widths = [(inputs, hidden), (hidden, hidden), (hidden, 1)]
        self.layers = nn.ModuleList(GaussianLinear(a, b, members, generator) for a, b in widths)
        self.bounded = bounded

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance, each `(members, n)`, of `rows`, `(n, inputs)`."""
        mean, variance = rows.expand(len(self.layers[0].weight), *rows.shape), None
        variance = torch.zeros_like(mean)
        for layer in self.layers[:-1]:
            mean, variance = relu_moments(*layer(mean, variance))
        mean, variance = self.layers[-1](mean, variance)
        if self.bounded:
            mean, variance = sigmoid_moments(mean, variance)
        return mean.squeeze(-1), variance.squeeze(-1)


def gaussian_loss(mean: Tensor, variance: Tensor, target: Tensor, error_weight: float) -> Tensor:
    """Return 0.5 x sum of (`error_weight` x squared error / variance + log variance).

    `error_weight` 1 is the negative log-likelihood; the published code uses 10, which makes
    variances ten times too large.
    """
    return 0.5 * (error_weight * (mean - target) ** 2 / variance + variance.log()).sum()
