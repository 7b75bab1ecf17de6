"""Passes over blocks of text, and the mean loss of those held out, alike for all objectives."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from nas.data.batches import MaskedBatch
from nas.training.device import autocast
from nas.training.micro_batches import split_masked

# Enough to tell architectures apart; all of a large validation set would cost more than it tells.
VALIDATION_TOKENS = 16_384
VALIDATION_BATCH = 64

B = TypeVar("B")


def in_passes(
    blocks: np.ndarray, batch_size: int, seed: int, epoch: int = 0
) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Yield blocks without end, in a new order in every pass, and what draws in that pass.

    Args:
        blocks: Ids, `(blocks, length)`.
        batch_size: Rows of a batch, `(rows, length)` int64; the last one of a pass may have fewer.
        seed: With the number of the pass, decides the order and what is drawn.
        epoch: Number of the pass to begin with.
    """
    while True:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(blocks))
        for first in range(0, len(blocks), batch_size):
            yield np.asarray(blocks[order[first : first + batch_size]], dtype=np.int64), rng
        epoch += 1


def from_batch(
    start: int, blocks: np.ndarray, batch_size: int, of_pass: Callable[[int], Iterator[B]]
) -> Iterator[B]:
    """Return the batches from number `start` on.

    What a pass draws, it draws one batch after another, so that those before must be made again.

    Args:
        start: Batches that an interrupted trial has seen before.
        blocks: What batches are made of, `(blocks, length)`.
        batch_size: Blocks of a batch.
        of_pass: Gives the batches from the beginning of a pass on, by its number.
    """
    epoch, position = divmod(start, -(-len(blocks) // batch_size))
    return islice(of_pass(epoch), position, None)


def part_losses(
    batch: MaskedBatch,
    parts: int,
    loss: Callable[[MaskedBatch], Tensor],
    device: torch.device,
    precision: str,
) -> Iterator[Tensor]:
    """Yield losses whose sum is the mean over the tokens of a batch, of at most `parts` parts."""
    for portion, share in split_masked(batch, parts):
        with autocast(precision, device):
            value = loss(portion)
        yield value if share == 1.0 else value * share


def held_out(blocks: np.ndarray) -> np.ndarray:
    """Return as many blocks `(blocks, length)` as a loss is measured on."""
    return blocks[: max(1, VALIDATION_TOKENS // blocks.shape[1])]


def mean_loss(
    batches: Iterable[B],
    loss: Callable[[B], Tensor],
    count: Callable[[B], int],
    precision: str,
    *modules: nn.Module,
) -> float:
    """Return the mean of a loss over batches, each weighed by what it holds; 0.0 of nothing.

    Args:
        batches: What `loss` and `count` take.
        loss: The mean loss of a batch, a scalar.
        count: How many a batch holds of what the mean is over; of one without any, no loss is made.
        precision: "fp32" or "bf16" (autocast).
        modules: What is used, the encoder first; none of them is left in training.
    """
    device = next(modules[0].parameters()).device
    for module in modules:
        module.eval()
    total, counted = torch.zeros((), device=device), 0
    with torch.inference_mode(), autocast(precision, device):
        for batch in batches:
            if held := count(batch):
                total += loss(batch) * held
                counted += held
    return float(total) / max(1, counted)
