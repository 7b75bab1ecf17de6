"""No norm, only its gain and bias: nothing has to be computed over the features of a token.

Source: Sun et al., "MobileBERT: a Compact Task-Agnostic BERT for Resource-Limited Devices", ACL
2020 (NoNorm).
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.models.norms.base import NORMS
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Part

SLOTS["norm"].kinds.register("none")(
    Kind(
        "none",
        "a gain and a bias alone",
        parameters=lambda width, part: 2 * width,
        # gain and bias are those of a norm that divides by the spread
        shared=lambda a, b: Part("none") if {a.kind, b.kind} <= {"none", "layer"} else None,
    )
)


@NORMS.register("none")
class NoNorm(nn.Module):
    """`gain * x + bias`, feature by feature; at the start the identity.

    Args:
        width: Number of features.
    """

    axes: ClassVar = {"weight": ("=width",), "bias": ("width",)}

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias
