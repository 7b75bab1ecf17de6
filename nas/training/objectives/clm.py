"""Causal language modelling: every token is predicted from those before it alone.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019; of
encoders that are fine-tuned looking both ways: Dong et al., "Unified Language Model Pre-training
for Natural Language Understanding and Generation" (UniLM), NeurIPS 2019.
Differs on purpose: the encoder is asked to be causal here and nowhere else, so that its heads look
both ways when it is fine-tuned, unless they have a mask of their own; logits are made by the head
of masked tokens.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.data.batches import MaskedBatch
from nas.training.objectives.base import PRETRAINING_OBJECTIVES, PretrainingObjective
from nas.training.objectives.passes import (
    from_batch,
    held_out,
    in_passes,
    mean_loss,
    part_losses,
)
from nas.training.seeds import named_seed
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS, Kind

VALIDATION_BATCH = 16  # scores of all tokens take several times the memory of the masked ones

SLOTS["objective"].kinds.register("clm")(Kind("clm", "the next token, from those before it"))

# (blocks, batch_size, seed, start, passes) -> batches of tokens and of what follows at some places
Stream = Callable[[np.ndarray, int, int, int, int | None], Iterator[MaskedBatch]]


class NextTokens(PretrainingObjective):
    """Predicts which token comes next, at the places that a stream of batches says.

    Args:
        name: Of the objective.
        stream: What makes batches of blocks.
    """

    def __init__(self, name: str, stream: Stream):
        self.name, self._stream = name, stream

    def begin(self, encoder: nn.Module, head: nn.Module, *, steps: int) -> None:
        """Check that the encoder can be causal.

        Raises:
            InvalidExperiment: It has kinds in which tokens see later ones.
        """
        if not encoder.can_be_causal:
            raise InvalidExperiment(
                f"objective: {self.name} needs an encoder in which no token sees a later one, and "
                f"this one has kinds that cannot do without: {encoder.architecture.describe()}. "
                "Use heads sa or attention, or objective: mlm."
            )

    def batches(
        self,
        blocks: np.ndarray,
        *,
        batch_size: int,
        vocabulary_size: int,
        seed: int,
        start: int,
    ) -> Iterator[MaskedBatch]:
        return self._stream(blocks, batch_size, named_seed(seed, self.name), start, None)

    def losses(
        self,
        encoder: nn.Module,
        head: nn.Module,
        batch: MaskedBatch,
        device: torch.device,
        precision: str,
        parts: int,
    ) -> Iterator[Tensor]:
        def loss(portion: MaskedBatch) -> Tensor:
            return next_token_loss(encoder, head, portion.to(device))

        return part_losses(batch, parts, loss, device, precision)

    def validation_loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        blocks: np.ndarray,
        *,
        vocabulary_size: int,
        precision: str,
    ) -> float:
        """Return the mean loss of a predicted token of `blocks`, in nats."""
        device = next(encoder.parameters()).device
        return mean_loss(
            self._stream(held_out(blocks), VALIDATION_BATCH, 0, 0, 1),
            lambda batch: next_token_loss(encoder, head, batch.to(device)),
            lambda batch: len(batch.targets),
            precision,
            encoder,
            head,
        )


def next_token_loss(encoder: nn.Module, head: nn.Module, batch: MaskedBatch) -> Tensor:
    """Return the mean cross entropy of what follows at the batch's places, a scalar in nats."""
    states = encoder(batch.tokens, batch.keep, at=batch.positions, causal=True)
    return F.cross_entropy(head(states).float(), batch.targets)


def text_batches(
    blocks: np.ndarray, batch_size: int, seed: int, start: int = 0, passes: int | None = None
) -> Iterator[MaskedBatch]:
    """Yield blocks as they are, in a new order in every pass; every token but the first is asked.

    Args:
        blocks: Text without padding, `(blocks, length)`.
        batch_size: Blocks in a batch; the last one of a pass may have fewer.
        seed: Decides the order.
        start: Number of the batch to begin with.
        passes: Over the blocks; None never ends.
    """
    stream = from_batch(start, blocks, batch_size, partial(in_passes, blocks, batch_size, seed))
    many = None if passes is None else max(0, passes * -(-len(blocks) // batch_size) - start)
    for chosen, _ in islice(stream, many):
        tokens = torch.from_numpy(chosen)
        yield followed(tokens, torch.ones(tokens.shape, dtype=torch.bool))


def followed(tokens: Tensor, asked: Tensor, keep: Tensor | None = None) -> MaskedBatch:
    """Return sequences with what is to be predicted of them, from the place before it.

    Args:
        tokens: Ids, `(batch, length)` int64.
        asked: True for the tokens to predict, `(batch, length)`; the first of a sequence never is.
        keep: True for real tokens, `(batch, length)`; None for all.
    """
    places = asked[:, 1:].nonzero()
    rows, columns = places.unbind(1)
    return MaskedBatch(
        tokens,
        torch.ones_like(asked) if keep is None else keep,
        rows * tokens.shape[1] + columns,
        tokens[rows, columns + 1],
    )


@PRETRAINING_OBJECTIVES.register("clm")
def clm() -> NextTokens:
    """Return causal language modelling."""
    return NextTokens("clm", text_batches)
