"""A narrow table whose sum with types and positions is mapped to the width, as in ELECTRA.

Source: Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than
Generators", ICLR 2020; Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of Language
Representations", ICLR 2020. Types, positions and the norm are as narrow as the table; "factorised"
maps the tokens' vectors alone.
"""

from typing import ClassVar

from torch import Tensor, nn

from nas.models.embeddings.base import EMBEDDINGS
from search_spaces.kinds import SLOTS, Kind, ModelShape
from search_spaces.parts import Part, Setting

RANK = 128


def _rank(width: int, part: Part) -> int:
    return dict(part.settings).get("rank", RANK)


def _parameters(shape: ModelShape, part: Part) -> int:
    rank = _rank(0, part)
    return shape.vocabulary_size * rank + (rank + 1) * shape.widths[0]


SLOTS["embedding"].kinds.register("projected")(
    Kind(
        "projected",
        "narrow vectors of tokens, types and positions, mapped together",
        {"rank": Setting(RANK, least=1)},
        parameters=_parameters,
        flops=lambda shape, part, length: 2 * length * _rank(0, part) * shape.widths[0],
        table=_rank,
        embedded=_rank,
    )
)


@EMBEDDINGS.register("projected")
class ProjectedEmbedding(nn.Module):
    """A table with `rank` numbers for each token, and the map of all sums with it.

    Args:
        vocabulary_size: Number of token ids.
        width: Numbers for each token after the map.
        pad_id: Token id of padding.
        rank: Numbers for each token in the table.

    Attributes:
        embedded: How wide the vectors are that this returns.
    """

    axes: ClassVar = {
        "table.weight": ("tokens", "code"),
        "map.weight": ("first", "<code"),
        "map.bias": ("first",),
    }

    def __init__(self, vocabulary_size: int, width: int, *, pad_id: int, rank: int = RANK):
        super().__init__()
        self.embedded = rank
        self.table = nn.Embedding(vocabulary_size, rank, padding_idx=pad_id)
        self.map = nn.Linear(rank, width)

    @property
    def weight(self) -> Tensor:
        """The table, which a tied output decodes with."""
        return self.table.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens)

    def widen(self, summed: Tensor) -> Tensor:
        """Map normed sums of vectors, `(batch, length, rank)`, to the width."""
        return self.map(summed)
