"""The norm before each block, so that hidden states run through the encoder as a sum.

Source: Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020.
"""

from typing import ClassVar

from torch import Tensor, nn

from nas.models.residuals.base import RESIDUALS, Residual
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Part

SLOTS["residual"].kinds.register("pre")(
    Kind(
        "pre",
        "norm before each block, and one after the last layer",
        parameters=lambda shape, part: (3 if shape.last else 2) * shape.norm,
        # the norms of a layer are inherited wherever they stand
        shared=lambda a, b: Part("pre") if {a.kind, b.kind} <= {"pre", "post"} else None,
    )
)


@RESIDUALS.register("pre")
class PreNorm(Residual):
    """`x + block(norm(x))`."""

    normed: ClassVar = False

    def before(self, x: Tensor, norm: nn.Module) -> Tensor:
        return norm(x)

    def after(self, x: Tensor, y: Tensor, norm: nn.Module) -> Tensor:
        return x + y
