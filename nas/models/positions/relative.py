"""In every layer one learned vector for each distance between tokens, shared by its heads.

Source: Shaw, Uszkoreit, Vaswani, "Self-Attention with Relative Position Representations", NAACL
2018; Tuli et al., "FlexiBERT", JAIR 2023.
"""

from torch import Tensor, nn

from nas.models.positions.base import POSITIONS, Positions


class DistanceTable(nn.Embedding):
    """A learned vector for each distance, from `1 - max_length` to `max_length - 1`."""

    def forward(self, length: int) -> Tensor:
        """Return the vectors of the distances in a sequence, `(2 * length - 1, head_width)`."""
        first = (self.num_embeddings + 1) // 2 - length
        return self.weight[first : first + 2 * length - 1]


@POSITIONS.register("relative")
class RelativePositions(Positions):
    """A table of distances in every layer."""

    def distances(self, head_width: int) -> nn.Module:
        return DistanceTable(2 * self.max_length - 1, head_width)
