"""The word-structural objective: words of shuffled trigrams are put back in their order.

Source: Wang et al., "StructBERT: Incorporating Language Structures into Pre-training for Deep
Language Understanding", ICLR 2020: 5 % of the trigrams, predicted by the head of masked tokens.
Differs on purpose: beside masked tokens it reads a batch of its own, which is not masked. Our
definition: `rate` is the share of tokens that are in a shuffled trigram; a permutation that leaves
a trigram as it is, is not drawn.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from nas.data.batches import MaskedBatch
from nas.data.tokenizer import SPECIAL_TOKENS
from nas.training.device import autocast
from nas.training.micro_batches import split_masked
from nas.training.objectives.base import PRETRAINING_OBJECTIVES, PretrainingObjective
from nas.training.objectives.mlm import VALIDATION_BATCH, VALIDATION_TOKENS, masked_loss
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
        epoch, position = divmod(start, -(-len(blocks) // batch_size))
        seed = named_seed(seed, "shuffled")
        return islice(_batches(blocks, batch_size, self.rate, seed, epoch), position, None)

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
        blocks = blocks[: max(1, VALIDATION_TOKENS // blocks.shape[1])]
        encoder.eval()
        head.eval()
        total, count = torch.zeros((), device=device), 0
        stream = _batches(blocks, VALIDATION_BATCH, self.rate, 0, 0)
        with torch.inference_mode(), autocast(precision, device):
            for batch in islice(stream, -(-len(blocks) // VALIDATION_BATCH)):
                if len(batch.targets):
                    total += masked_loss(encoder, head, batch, device) * len(batch.targets)
                count += len(batch.targets)
        return float(total) / max(1, count)


def _batches(
    blocks: np.ndarray, batch_size: int, rate: float, seed: int, epoch: int
) -> Iterator[MaskedBatch]:
    while True:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(blocks))
        for start in range(0, len(blocks), batch_size):
            chosen = np.asarray(blocks[order[start : start + batch_size]], dtype=np.int64)
            yield shuffled(chosen, rate, rng)
        epoch += 1


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
