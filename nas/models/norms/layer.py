"""The norm of BERT: features get mean 0 and variance 1, then a gain and a bias each.

Source: Ba, Kiros, Hinton, "Layer Normalization", 2016; epsilon as in Devlin et al., "BERT", NAACL
2019.
"""

from typing import ClassVar

from torch import nn

from nas.models.norms.base import NORMS

NORM_EPSILON = 1e-12


@NORMS.register("layer")
class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the last axis.

    Args:
        width: Number of features.
        epsilon: What is added to the variance.
        bias: "none" for a gain alone.
    """

    axes: ClassVar = {"weight": ("^width",), "bias": ("width",)}

    def __init__(self, width: int, epsilon: float = NORM_EPSILON, bias: str = "learned"):
        super().__init__(width, eps=epsilon, bias=bias == "learned")
