"""Text with noise in it: spans hidden behind one gap each, words shuffled, words replaced.

Source: the gaps: Lewis et al., "BART: Denoising Sequence-to-Sequence Pre-training for Natural
Language Generation, Translation, and Comprehension", ACL 2020 (lengths are Poisson with mean 3).
Shuffled and replaced words on top: Zhong et al., "E2S2: Encoding-Enhanced Sequence-to-Sequence
Pretraining for Language Understanding and Generation", IEEE TKDE 2024.
Differs on purpose: spans are of tokens, and none is empty, so that no text grows. Special tokens,
gaps among them, are neither hidden nor shuffled nor replaced; the released code replaces gaps, too.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nas.data.batches import OnDevice
from nas.data.tokenizer import MASK, PAD, SPECIAL_TOKENS
from nas.training.objectives.wso import shuffled

SPAN = 3  # tokens, on average
CLEAN, SHUFFLED, REPLACED = 0, 1, 2
IGNORED = -100  # a label that no class has, as padding has none


@dataclass(frozen=True)
class NoisyBatch(OnDevice):
    """Blocks of text, and two noisy versions of each with the same gaps.

    Attributes:
        tokens: With gaps, shuffled and replaced tokens, `(batch, shorter)` int64; padding is 0.
        plain: With the gaps alone, the same shape.
        keep: True for real tokens of both, `(batch, shorter)` bool.
        labels: What was done to each of `tokens`: 0 nothing, 1 shuffled, 2 replaced, -100 at
            padding, `(batch, shorter)` int64.
        text: What stood there, `(batch, length)` int64.
    """

    tokens: Tensor
    plain: Tensor
    keep: Tensor
    labels: Tensor
    text: Tensor


def noisy(
    text: np.ndarray,
    *,
    gaps: float,
    shuffle: float,
    replace: float,
    vocabulary_size: int,
    rng: np.random.Generator,
) -> NoisyBatch:
    """Return blocks with noise.

    What stays as it was has the label 0, also in a shuffled trigram or where a draw hits the token
    that stood there.

    Args:
        text: Ids without padding, `(batch, length)` int64.
        gaps: Share of the tokens to hide.
        shuffle: Share of what is left that is in a shuffled trigram.
        replace: Share of what is left to replace; none of these is in a shuffled trigram.
        vocabulary_size: Ids that are drawn are below it.
        rng: Draws everything.
    """
    plain = with_gaps(text, gaps, rng)
    keep = plain != PAD
    tokens, labels = plain.copy(), np.where(keep, CLEAN, IGNORED)
    free = plain >= len(SPECIAL_TOKENS)
    if shuffle:
        # a rate of padded blocks, which asks for as many tokens
        batch = shuffled(plain, shuffle * keep.mean(), rng)
        tokens, places = batch.tokens.numpy().copy(), batch.positions.numpy()
        moved = np.zeros(plain.shape, bool)
        moved.flat[places] = True
        labels[moved & (tokens != plain)] = SHUFFLED
        free &= ~moved
    if replace:
        there = np.flatnonzero(free)
        count = min(len(there), max(1, round(replace * keep.sum())))
        places = rng.choice(there, count, replace=False)
        tokens.flat[places] = rng.integers(len(SPECIAL_TOKENS), vocabulary_size, count)
        labels.flat[places] = np.where(tokens.flat[places] != plain.flat[places], REPLACED, CLEAN)
    arrays = (tokens, plain, keep, labels, text)
    return NoisyBatch(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))


def with_gaps(text: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Return blocks `(batch, length)` with spans of tokens hidden, one [MASK] for each of them.

    They end with padding, so that the longest has none.

    Args:
        text: Ids, `(batch, length)` int64.
        rate: Share of the tokens, special ones apart, to hide in each block.
        rng: Draws lengths and places.
    """
    rows, length = text.shape
    each, places = np.arange(rows), np.arange(length)
    text, stays, taken = text.copy(), np.ones(text.shape, bool), text < len(SPECIAL_TOKENS)
    left = np.round(rate * (~taken).sum(1)).astype(int)
    while left.any():
        spans = np.minimum(left, np.maximum(1, rng.poisson(SPAN, rows)))
        room = _room(taken, spans)
        spans[~room.any(1) & (left > 0)] = 1  # a single token has room, as not all are taken
        room = np.where(spans[:, None] == 1, ~taken, room)
        first = np.where(room, rng.random(text.shape), -1.0).argmax(1)
        text[each[left > 0], first[left > 0]] = MASK
        inside = (places >= first[:, None]) & (places < (first + spans)[:, None])
        taken |= inside
        stays &= ~inside | (places == first[:, None])
        left -= spans
    lengths = stays.sum(1)
    whole = np.full((rows, int(lengths.max())), PAD, np.int64)
    whole[np.arange(whole.shape[1]) < lengths[:, None]] = text[stays]
    return whole


def _room(taken: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return where a span of a row begins of whose places none is taken, `(rows, length)`."""
    before = np.pad(np.cumsum(taken, 1), ((0, 0), (1, 0)))
    ends = np.arange(taken.shape[1]) + spans[:, None]
    until = np.take_along_axis(before, np.minimum(ends, taken.shape[1]), 1)
    return (ends <= taken.shape[1]) & (until == before[:, :-1])
