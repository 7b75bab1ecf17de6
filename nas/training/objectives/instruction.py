"""Instruction tuning: the response to an instruction is predicted, the instruction only read.

Source: Ouyang et al., "Training Language Models to Follow Instructions with Human Feedback",
NeurIPS 2022; Thapa et al., "Development of Pre-Trained Transformer-based Models for the Nepali
Language", 2024 (causal language modelling whose loss is of the response's tokens only).
Our definition: text is packed without knowing who says what, so an instruction is the first piece
of a block, up to the end of the line nearest its middle, and its response the rest; with blocks
that hold one instruction and one response each, that is what they are. The end of a response
is predicted, too.
"""

from collections.abc import Iterator

import numpy as np

from nas.data.batches import MaskedBatch
from nas.training.objectives.base import PRETRAINING_OBJECTIVES
from nas.training.objectives.clm import NextTokens, followed
from nas.training.objectives.pairs import NEXT, PairBatch, pair_batches
from search_spaces.kinds import SLOTS, Kind

SLOTS["objective"].kinds.register("instruction")(
    Kind("instruction", "the response to an instruction, token by token")
)


def responses(batch: PairBatch) -> MaskedBatch:
    """Return pairs with every token of the second piece to be predicted."""
    return followed(batch.tokens, (batch.token_types == 1) & batch.keep, batch.keep)


def response_batches(
    blocks: np.ndarray, batch_size: int, seed: int, start: int = 0, passes: int | None = None
) -> Iterator[MaskedBatch]:
    """Yield instructions and responses made of blocks, in a new order in every pass.

    Args:
        blocks: Text, `(blocks, length)`; each begins with [CLS], and lines end with [SEP].
        batch_size: Blocks in a batch; the last one of a pass may have fewer.
        seed: Decides the order.
        start: Number of the batch to begin with.
        passes: Over the blocks; None never ends.
    """
    pairs = pair_batches(
        blocks, batch_size=batch_size, seed=seed, labels=(NEXT,), start=start, passes=passes
    )
    for batch in pairs:
        yield responses(batch)


@PRETRAINING_OBJECTIVES.register("instruction")
def instruction() -> NextTokens:
    """Return instruction tuning."""
    return NextTokens("instruction", response_batches)
