"""A narrow table and a linear map to the width of the encoder: most of a small model is its table.

Source: Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations",
ICLR 2020.
"""

from typing import ClassVar

from torch import Tensor, nn

from nas.models.embeddings.base import EMBEDDINGS
from search_spaces.kinds import SLOTS, Kind, ModelShape
from search_spaces.parts import Part, Setting

RANK = 64


def table_rank(width: int, part: Part) -> int:
    """Return how many numbers the table has for each token, whatever the width."""
    return dict(part.settings).get("rank", RANK)


def mapped_parameters(shape: ModelShape, part: Part) -> int:
    """Return the parameters of a narrow table and of its map to the first layer's width."""
    rank = table_rank(0, part)
    return shape.vocabulary_size * rank + (rank + 1) * shape.widths[0]


SLOTS["embedding"].kinds.register("factorised")(
    Kind(
        "factorised",
        "a narrow table, and a map to the width",
        {"rank": Setting(RANK, least=1)},
        parameters=mapped_parameters,
        flops=lambda shape, part, length: 2 * length * table_rank(0, part) * shape.widths[0],
        table=table_rank,
    )
)


@EMBEDDINGS.register("factorised")
class FactorisedEmbedding(nn.Module):
    """A table with `rank` numbers for each token; a tied output ends at the rank, too.

    Args:
        vocabulary_size: Number of token ids.
        width: Numbers for each token after the map.
        pad_id: Token id of padding.
        rank: Numbers for each token in the table.
    """

    axes: ClassVar = {
        "table.weight": ("tokens", "code"),
        "map.weight": ("first", "<code"),
        "map.bias": ("first",),
    }

    def __init__(self, vocabulary_size: int, width: int, *, pad_id: int, rank: int = RANK):
        super().__init__()
        self.table = nn.Embedding(vocabulary_size, rank, padding_idx=pad_id)
        self.map = nn.Linear(rank, width)

    @property
    def weight(self) -> Tensor:
        """The table, which a tied output decodes with."""
        return self.table.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.map(self.table(tokens))
