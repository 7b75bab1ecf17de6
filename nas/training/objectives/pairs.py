"""Pairs of pieces of text, made from blocks: the second follows, precedes, or is from elsewhere.

A block is cut in two at the end of the line nearest its middle. So every pair is of running text,
and no document needs to be known; pieces from elsewhere are of other blocks of the batch's pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nas.data.batches import OnDevice
from nas.data.tokenizer import CLS, PAD, SEP

NEXT, PREVIOUS, ELSEWHERE = 0, 1, 2


@dataclass(frozen=True)
class PairBatch(OnDevice):
    """Pairs of pieces of text, each `[CLS] first [SEP] second [SEP]`.

    Attributes:
        tokens: Ids, `(batch, length)` int64; padding is 0.
        keep: True for real tokens, `(batch, length)` bool.
        token_types: 1 for the second piece, `(batch, length)` int64.
        labels: 0 where the second follows, 1 where it precedes, 2 where it is from elsewhere,
            `(batch,)` int64.
    """

    tokens: Tensor
    keep: Tensor
    token_types: Tensor
    labels: Tensor


def pair_batches(
    blocks: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    labels: tuple[int, ...],
    start: int = 0,
    passes: int | None = None,
) -> Iterator[PairBatch]:
    """Yield pairs made of blocks, with new labels and a new order in every pass.

    Args:
        blocks: Text, `(blocks, length)`; each begins with [CLS], and lines end with [SEP].
        batch_size: Blocks in a batch; the last one of a pass may have fewer.
        seed: Decides order, labels and what comes from elsewhere.
        labels: Those that are drawn, all alike often.
        start: Number of the batch to begin with.
        passes: Over the blocks; None never ends.
    """
    epoch, position = divmod(start, -(-len(blocks) // batch_size))
    while passes is None or epoch < passes:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(blocks))
        kinds = rng.choice(labels, len(blocks))
        others = (np.arange(len(blocks)) + rng.integers(1, max(2, len(blocks)))) % len(blocks)
        for first in range(position * batch_size, len(blocks), batch_size):
            rows = range(first, min(first + batch_size, len(blocks)))
            pairs = [_pair(blocks[order[i]], blocks[order[others[i]]], kinds[i]) for i in rows]
            yield _batch(pairs, blocks.shape[1], kinds[first : rows.stop])
        epoch, position = epoch + 1, 0


def cut(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two pieces of a block, without [CLS], cut after the line nearest its middle.

    Where no line ends inside, it is cut in the middle.
    """
    text = block[1:]
    ends = np.flatnonzero(text[:-1] == SEP) + 1
    middle = len(text) // 2
    place = middle if not len(ends) else int(ends[np.abs(ends - middle).argmin()])
    return text[:place], text[place:]


def _pair(block: np.ndarray, other: np.ndarray, kind: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = cut(block)
    if kind == PREVIOUS:
        return second, first
    return (first, second) if kind == NEXT else (first, cut(other)[1])


def _batch(
    pairs: list[tuple[np.ndarray, np.ndarray]], length: int, labels: np.ndarray
) -> PairBatch:
    tokens = np.full((len(pairs), length + 2), PAD, np.int64)
    types = np.zeros_like(tokens)
    for row, (first, second) in enumerate(pairs):
        first = [CLS, *_ended(first)]
        whole = [*first, *_ended(second)][:length]
        tokens[row, : len(whole)] = whole
        types[row, len(first) : len(whole)] = 1
    tokens, types = tokens[:, :length], types[:, :length]
    return PairBatch(
        torch.from_numpy(tokens.copy()),
        torch.from_numpy(tokens != PAD),
        torch.from_numpy(types.copy()),
        torch.from_numpy(labels.astype(np.int64)),
    )


def _ended(piece: np.ndarray) -> np.ndarray:
    return piece if len(piece) and piece[-1] == SEP else np.append(piece, SEP)
