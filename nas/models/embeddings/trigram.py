"""A narrow table whose vectors of three neighbouring tokens are mapped to the width together.

Source: Sun et al., "MobileBERT: a Compact Task-Agnostic BERT for Resource-Limited Devices", ACL
2020.
Differs on purpose: padding beside the last token counts as zeros, whatever it is.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.embeddings.base import EMBEDDINGS
from search_spaces.kinds import SLOTS, Kind, ModelShape
from search_spaces.parts import Part, Setting

RANK = 128


def _rank(width: int, part: Part) -> int:
    return dict(part.settings).get("rank", RANK)


def _parameters(shape: ModelShape, part: Part) -> int:
    rank = _rank(0, part)
    return shape.vocabulary_size * rank + (3 * rank + 1) * shape.widths[0]


SLOTS["embedding"].kinds.register("trigram")(
    Kind(
        "trigram",
        "vectors of three neighbours, mapped together",
        {"rank": Setting(RANK, least=1)},
        parameters=_parameters,
        flops=lambda shape, part, length: 6 * length * _rank(0, part) * shape.widths[0],
        table=_rank,
        causal=False,  # it reads the next token
    )
)


@EMBEDDINGS.register("trigram")
class TrigramEmbedding(nn.Module):
    """One linear map of the vectors of the next, this and the previous token, zeros at the ends.

    Args:
        vocabulary_size: Number of token ids.
        width: Numbers for each token after the map.
        pad_id: Token id of padding.
        rank: Numbers for each token in the table.
    """

    axes: ClassVar = {
        "table.weight": ("tokens", "code"),
        "neighbours.weight": ("first", "<code+code+code"),
        "neighbours.bias": ("first",),
    }
    reads_keep = True

    def __init__(self, vocabulary_size: int, width: int, *, pad_id: int, rank: int = RANK):
        super().__init__()
        self.pad_id = pad_id
        self.table = nn.Embedding(vocabulary_size, rank, padding_idx=pad_id)
        self.neighbours = nn.Linear(3 * rank, width)

    @property
    def weight(self) -> Tensor:
        """The table, which a tied output decodes with."""
        return self.table.weight

    def forward(self, tokens: Tensor, keep: Tensor | None = None) -> Tensor:
        real = tokens != self.pad_id if keep is None else keep
        vectors = self.table(tokens) * real[..., None]
        # no slice is shorter than a sequence: a graph of any length has no case of its own for two
        ends = F.pad(vectors, (0, 0, 1, 1))
        after, before = ends[:, 2:], ends[:, :-2]
        return self.neighbours(torch.cat([after, vectors, before], -1))
