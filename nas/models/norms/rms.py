"""The norm that divides by the root mean square: no mean is taken off, and nothing is added.

Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.
"""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from nas.models.norms.base import NORMS
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Part

EPSILON = 1e-6

SLOTS["norm"].kinds.register("rms")(
    Kind(
        "rms",
        "root mean square 1, a gain",
        parameters=lambda width, part: width,
        # the gain is one that other norms have, too
        shared=lambda a, b: Part("rms") if {a.kind, b.kind} <= {"rms", "layer"} else None,
    )
)


@NORMS.register("rms")
class RootMeanSquareNorm(nn.RMSNorm):
    """Root-mean-square normalisation over the last axis.

    Args:
        width: Number of features.
    """

    axes: ClassVar = {"weight": ("^width",)}

    def __init__(self, width: int):
        super().__init__(width, eps=EPSILON)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `hidden`, normalised over its last axis.

        The gain takes the input's type, or torch leaves its fused kernel and says so each time.
        """
        return functional.rms_norm(
            hidden, self.normalized_shape, self.weight.to(hidden.dtype), self.eps
        )
