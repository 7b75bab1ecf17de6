"""A narrow table whose sum with types and positions is mapped to the width, as in ELECTRA.

Source: Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than
Generators", ICLR 2020; Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of Language
Representations", ICLR 2020. Types, positions and the norm are as narrow as the table; "factorised"
maps the tokens' vectors alone.
"""

from torch import Tensor

from nas.models.embeddings.base import EMBEDDINGS
from nas.models.embeddings.factorised import (
    RANK,
    FactorisedEmbedding,
    mapped_parameters,
    table_rank,
)
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["embedding"].kinds.register("projected")(
    Kind(
        "projected",
        "narrow vectors of tokens, types and positions, mapped together",
        {"rank": Setting(RANK, least=1)},
        parameters=mapped_parameters,
        flops=lambda shape, part, length: 2 * length * table_rank(0, part) * shape.widths[0],
        table=table_rank,
        embedded=table_rank,
    )
)


@EMBEDDINGS.register("projected")
class ProjectedEmbedding(FactorisedEmbedding):
    """A table with `rank` numbers for each token, and the map of all sums with it.

    Args: as of `FactorisedEmbedding`.
    """

    @property
    def embedded(self) -> int:
        """How wide the vectors are that this returns."""
        return self.table.embedding_dim

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens)

    def widen(self, summed: Tensor) -> Tensor:
        """Map normed sums of vectors, `(batch, length, rank)`, to the width."""
        return self.map(summed)
