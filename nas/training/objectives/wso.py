"""The word-structural objective: words of shuffled trigrams are put back in their order.

Source: Wang et al., "StructBERT: Incorporating Language Structures into Pre-training for Deep
Language Understanding", ICLR 2020: 5 % of the trigrams, predicted by the head of masked tokens.
Differs on purpose: beside masked tokens it reads a batch of its own, which is not masked. Our
definition: `rate` is the share of tokens that are in a shuffled trigram; a permutation that leaves
a trigram as it is, is not drawn.
"""

from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from nas.data.batches import MaskedBatch
from nas.data.tokenizer import SPECIAL_TOKENS
from nas.training.device import autocast
from nas.training.micro_batches import split_masked
from nas.training.objectives.base import PRETRAINING_OBJECTIVES, PretrainingObjective
from nas.training.objectives.mlm import masked_loss
from nas.training.objectives.passes import (
    VALIDATION_BATCH,
    from_batch,
    held_out,
    in_passes,
    mean_loss,
)
from nas.training.seeds import named_seed
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

_SIZE = 3
# every order of three but the one they have
_ORDERS = np.array([[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])

SLOTS["objective"].kinds.register("wso")(
    Kind(
        "wso",
        "the order of shuffled words",
        {"rate": Setting(0.05, "line", least=0.001, most=0.9, weight=0.1)},
    )
)


@PRETRAINING_OBJECTIVES.register("wso")
class WordOrder(PretrainingObjective):
    """Predicts the tokens of shuffled trigrams.

    Args:
        rate: Share of tokens in a shuffled trigram.
    """

    def __init__(self, rate: float):
        self.rate = rate

    def batches(
        self,
        blocks: np.ndarray,
        *,
        batch_size: int,
        vocabulary_size: int,
        seed: int,
        start: int,
    ) -> Iterator[MaskedBatch]:
        seed = named_seed(seed, "shuffled")
        of_pass = partial(self._of_pass, blocks, batch_size, seed)
        return from_batch(start, blocks, batch_size, of_pass)

    def _of_pass(
        self, blocks: np.ndarray, batch_size: int, seed: int, epoch: int
    ) -> Iterator[MaskedBatch]:
        for chosen, rng in in_passes(blocks, batch_size, seed, epoch):
            yield shuffled(chosen, self.rate, rng)

    def losses(
        self,
        encoder: nn.Module,
        head: nn.Module,
        batch: MaskedBatch,
        device: torch.device,
        precision: str,
        parts: int,
    ) -> Iterator[Tensor]:
        for portion, share in split_masked(batch, parts if len(batch.targets) else 1):
            with autocast(precision, device):
                loss = masked_loss(encoder, head, portion, device)
            # where lines are so short that no trigram is whole, there is nothing to learn
            yield loss * share if len(portion.targets) else loss.nan_to_num() * 0

    def validation_loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        blocks: np.ndarray,
        *,
        vocabulary_size: int,
        precision: str,
    ) -> float:
        """Return the mean loss a shuffled token, the same ones for every caller."""
        device = next(encoder.parameters()).device
        blocks = held_out(blocks)
        stream = self._of_pass(blocks, VALIDATION_BATCH, 0, 0)
        return mean_loss(
            islice(stream, -(-len(blocks) // VALIDATION_BATCH)),
            lambda batch: masked_loss(encoder, head, batch, device),
            lambda batch: len(batch.targets),
            precision,
            encoder,
            head,
        )


def shuffled(tokens: np.ndarray, rate: float, rng: np.random.Generator) -> MaskedBatch:
    """Return blocks `(batch, length)` with some trigrams shuffled; targets are what stood there.

    A block's trigrams follow each other, so that none share a token, from a place that is drawn;
    those with a special token stay as they are. One at least is shuffled, if there is any.
    """
    rows, length = tokens.shape
    inside = (length - _SIZE + 1) // _SIZE * _SIZE
    columns = rng.integers(0, length - inside + 1, (rows, 1)) + np.arange(inside)
    places = (np.arange(rows)[:, None] * length + columns).reshape(-1, _SIZE)
    flat = tokens.flatten()
    places = places[(flat[places] >= len(SPECIAL_TOKENS)).all(1)]
    count = min(len(places), max(1, round(rate * flat.size / _SIZE)))
    chosen = places[np.sort(rng.permutation(len(places))[:count])]
    targets = flat[chosen]
    orders = _ORDERS[rng.integers(0, len(_ORDERS), count)]
    flat[chosen] = np.take_along_axis(targets, orders, axis=1)
    return MaskedBatch(
        torch.from_numpy(flat.reshape(rows, length)),
        torch.ones((rows, length), dtype=torch.bool),
        torch.from_numpy(chosen.ravel()),
        torch.from_numpy(targets.ravel()),
    )
