"""Layer normalisation in the precision of the linear maps around it, where there is a lower one.

Automatic mixed precision computes norms in float32 and so moves twice as many bytes through memory;
this norm stays in the lower precision, and is the usual one where there is none.

Source: Portes et al., "MosaicBERT: A Bidirectional Encoder Optimized for Fast Pretraining", NeurIPS
2023.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.models.norms.base import NORMS
from nas.models.norms.layer import LayerNorm
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Part

SLOTS["norm"].kinds.register("low-precision-layer")(
    Kind(
        "low-precision-layer",
        "layer norm in the precision of the linear maps",
        parameters=lambda width, part: 2 * width,
        weight=0.005,
        # the tensors of the usual layer norm
        shared=lambda a, b: (
            Part("low-precision-layer")
            if {a.kind, b.kind} <= {"low-precision-layer", "layer"}
            else None
        ),
    )
)


@NORMS.register("low-precision-layer")
class LowPrecisionLayerNorm(LayerNorm):
    """Layer normalisation over the last axis, under autocast in the type of autocast.

    Args:
        width: Number of features.
    """

    def __init__(self, width: int):
        super().__init__(width)

    def forward(self, x: Tensor) -> Tensor:
        device = x.device.type
        if not torch.is_autocast_enabled(device):
            return super().forward(x)
        low = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            of = self.normalized_shape
            return F.layer_norm(x.to(low), of, self.weight.to(low), self.bias.to(low), self.eps)
