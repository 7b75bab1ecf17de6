"""One learned vector for each position, added to the embeddings.

Source: Devlin et al., "BERT", NAACL 2019.
"""

from torch import Tensor, nn

from nas.models.positions.base import POSITIONS, Positions


class PositionTable(nn.Embedding):
    """A learned vector for each position."""

    def forward(self, length: int) -> Tensor:
        """Return the vectors of the first positions, `(length, width)`."""
        return self.weight[:length]


@POSITIONS.register("absolute")
class AbsolutePositions(Positions):
    """A table of positions that is added to the embeddings."""

    def added(self, width: int) -> nn.Module:
        return PositionTable(self.max_length, width)
