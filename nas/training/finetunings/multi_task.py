"""All tasks at once: one encoder, a head and an alignment of the embeddings for each.

Source: Wu, Zhang and Ré, "Understanding and Improving Information Transfer in Multi-Task Learning",
ICLR 2020. Where the matrices stand is our definition: between the sum of token, type and position
and its norm, so that each is folded into the tables when a task is learnt; what decays is their
distance from the identity. Tasks are drawn in proportion to their steps; see
`nas.training.together`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.models.embeddings.learned import LearnedEmbedding
from nas.models.positions.absolute import PositionTable
from nas.training.finetunings.base import FINETUNINGS, FineTuning
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["finetuning"].kinds.register("multi-task")(
    Kind(
        "multi-task",
        "all tasks at once, each with an alignment",
        {
            "alignment": Setting("on", "name", ("on", "off")),
            "weights": Setting("equal", "name", ("equal", "svd")),
            "rank": Setting(1),
        },
    )
)


@FINETUNINGS.register("multi-task")
class MultiTask(FineTuning):
    """Plain losses; that tasks learn together is seen to by `nas.training.together`.

    Args:
        alignment: "on" for a matrix of each task on what the encoder's layers read.
        weights: "equal", or "svd": by how much of a task lies in what all have in common.
        rank: Of what they have in common.
    """

    def __init__(self, alignment: str, weights: str, rank: int):
        self.aligned, self.weighed, self.rank = alignment == "on", weights == "svd", rank

    def require(self, encoder: nn.Module) -> None:
        embeddings = encoder.embeddings
        tables = (embeddings.tokens, embeddings.positions)
        folds = isinstance(tables[0], LearnedEmbedding)
        if self.aligned and not (folds and isinstance(tables[1], PositionTable | None)):
            part = encoder.architecture.part("embedding")
            raise InvalidExperiment(
                f"finetuning: multi-task with embedding: {part} is refused: its alignments are "
                "folded into tables of tokens and positions, and there are none. Nearest that "
                "works: finetuning: multi-task(alignment=off), or embedding: learned."
            )


class Alignment(nn.Module):
    """A square matrix on embeddings, which begins as the identity.

    Only its distance from the identity is a parameter, so that decay pulls it there.

    Args:
        width: Of the embeddings.
    """

    def __init__(self, width: int):
        super().__init__()
        self.change = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.change.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Features `(..., width)` to the same shape."""
        return x + self.change(x)


@contextmanager
def aligned(encoder: nn.Module, alignment: Alignment | None) -> Iterator[None]:
    """Let the layers read aligned embeddings; None changes nothing."""
    if alignment is None:
        yield
        return
    hook = encoder.embeddings.norm.register_forward_pre_hook(
        lambda module, read: (alignment(read[0]),)
    )
    try:
        yield
    finally:
        hook.remove()


@torch.no_grad()
def fold(encoder: nn.Module, alignment: Alignment | None) -> None:
    """Put an alignment into the tables of tokens, types and positions."""
    embeddings = encoder.embeddings
    tables = (embeddings.tokens, embeddings.types, embeddings.positions)
    for table in tables if alignment is not None else ():
        if table is not None:
            table.weight.copy_(alignment(table.weight))
