"""A linear map with bias.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023.
"""

from torch import nn

from nas.models.projections.base import PROJECTIONS


@PROJECTIONS.register("linear")
class LinearProjection(nn.Linear):
    """Every feature of the next layer is a weighted sum of all features of this one.

    Args:
        width: Features it reads.
        next_width: Features it writes.
    """
