"""Dropout that draws its random numbers four at a time on a CPU.

Source: Srivastava et al., "Dropout", JMLR 2014.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, more than twice as fast on a CPU, where torch draws one by one.

    Differs on purpose: on a CPU the probability is rounded to a multiple of 2 ** -16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zero features of `x` with probability `p` in training, and scale up the others."""
        if not self.training or x.device.type != "cpu" or not 0 < self.p < 1:
            return F.dropout(x, self.p, self.training)
        return x * _kept(x, self.p).to(x.dtype).mul_(1 / (1 - self.p))


def _kept(x: Tensor, p: float) -> Tensor:
    """Boolean, the shape of `x`, True with probability 1 - p: 16 random bits for each."""
    count = math.prod(x.shape)
    words = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int16)[:count].view(x.shape) >= round(p * 2**16) - 2**15
