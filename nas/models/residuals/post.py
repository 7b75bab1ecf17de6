"""The norm after each residual sum.

Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017; Devlin et al., "BERT",
NAACL 2019.
"""

from typing import ClassVar

from torch import Tensor, nn

from nas.models.residuals.base import RESIDUALS, Residual


@RESIDUALS.register("post")
class PostNorm(Residual):
    """`norm(x + block(x))`."""

    normed: ClassVar = True

    def before(self, x: Tensor, norm: nn.Module) -> Tensor:
        return x

    def after(self, x: Tensor, y: Tensor, norm: nn.Module) -> Tensor:
        return norm(x + y)
