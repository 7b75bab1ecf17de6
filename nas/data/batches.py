"""Batches of similar length from encoded tasks, and masked batches from blocks of text.

Everything is NumPy on whole batches: no Python loop runs over tokens or examples.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from nas.data.encoding import NO_ANSWER
from nas.data.prepared import EncodedSplit
from nas.data.tokenizer import MASK, PAD, SPECIAL_TOKENS
from search_spaces.errors import InvalidExperiment

_POOL_BATCHES = 32
_NEVER = -1e4
_REPLACEMENTS = {"bert": (0.8, 0.1), "mask": (1.0, 0.0)}  # shares: [MASK], a random token


class OnDevice:
    """Tensors that go to a device together."""

    def to(self, device: torch.device) -> Self:
        """Return the same on `device`; nothing waits for the copies to a GPU."""
        tensors = [getattr(self, field.name) for field in fields(self)]
        if device.type == "cuda":
            # only from page-locked memory does a copy run beside everything else
            return type(self)(*(t.pin_memory().to(device, non_blocking=True) for t in tensors))
        return type(self)(*(t.to(device) for t in tensors))


@dataclass(frozen=True)
class Batch(OnDevice):
    """Examples of one task, padded to the longest of them.

    Of a choice among answers, `tokens`, `keep` and `token_types` are `(batch, answers, length)`.

    Attributes:
        tokens: Ids, `(batch, length)` int64; padding is 0.
        keep: True for real tokens, `(batch, length)` bool.
        token_types: 1 for the tokens of the second sentence, `(batch, length)` int64.
        labels: Class numbers or regression targets, `(batch,)` float32; of several labels at once
            `(batch, labels)`; of words `(batch, length)`, padding below 0.
        rows: Place of each example in its split, `(batch,)` int64.
    """

    tokens: Tensor
    keep: Tensor
    token_types: Tensor
    labels: Tensor
    rows: Tensor

    @property
    def sequences(self) -> "Batch":
        """The same with each answer of a choice as a sequence of its own, `(sequences, length)`."""
        if self.tokens.dim() == 2:
            return self
        tokens, keep, types = (t.flatten(0, 1) for t in (self.tokens, self.keep, self.token_types))
        return Batch(tokens, keep, types, self.labels, self.rows)

    def side_by_side(self, outputs: Tensor) -> Tensor:
        """Return the outputs of `sequences` with those of a row's answers side by side.

        Answers that a row has not are as unlikely as can be told in every precision.
        """
        if self.tokens.dim() == 2:
            return outputs
        missing = self.keep.sum(-1) == NO_ANSWER
        return outputs.view(len(self.rows), -1).masked_fill(missing, _NEVER)


@dataclass(frozen=True)
class MaskedBatch(OnDevice):
    """Blocks of text with some tokens hidden.

    Attributes:
        tokens: Ids after masking, `(batch, length)` int64.
        keep: All True: blocks have no padding, `(batch, length)` bool.
        positions: Places to predict in the flattened `(batch * length)`, ascending, `(masked,)`.
        targets: The ids that stood there, `(masked,)` int64.
    """

    tokens: Tensor
    keep: Tensor
    positions: Tensor
    targets: Tensor


def batches(
    split: EncodedSplit,
    *,
    batch_size: int | None = None,
    token_budget: int | None = None,
    seed: int = 0,
    epoch: int = 0,
    shuffle: bool = True,
    length_multiple: int = 1,
) -> Iterator[Batch]:
    """Yield every example once, in batches of similar length.

    Shuffled, examples are drawn into pools of a few dozen batches, sorted by length within the
    pool, cut, and the batches are shuffled again. Not shuffled, the whole split is sorted.

    Args:
        split: The examples.
        batch_size: Examples per batch at most.
        token_budget: Padded tokens per batch at most; one longer example still makes a batch.
        seed: With `epoch`, decides the order.
        epoch: Number of the pass over the data.
        shuffle: False gives the same order each time, for evaluation.
        length_multiple: Pad lengths up to a multiple of this.
    """
    if batch_size is None and token_budget is None:
        raise ValueError("give batch_size, token_budget or both")
    lengths = np.diff(split.offsets)
    if split.each > 1:  # as long as the longest of its answers
        lengths = lengths.reshape(-1, split.each).max(1)
    padded = -(-lengths // length_multiple) * length_multiple
    rng = np.random.default_rng([seed, epoch])
    budget = None if token_budget is None else token_budget // split.each
    for rows in _groups(padded, batch_size, budget, rng, shuffle=shuffle):
        yield _batch(split, rows, int(padded[rows].max()))


def _groups(
    lengths: np.ndarray,
    batch_size: int | None,
    token_budget: int | None,
    rng: np.random.Generator,
    *,
    shuffle: bool,
) -> list[np.ndarray]:
    order = rng.permutation(len(lengths)) if shuffle else np.arange(len(lengths))
    most = batch_size or len(lengths)
    if token_budget is not None:
        most = min(most, max(1, token_budget // max(1, int(np.mean(lengths)))))
    pool = _POOL_BATCHES * most if shuffle else len(lengths)
    groups = []
    for start in range(0, len(lengths), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(-lengths[rows], kind="stable")]
        first = 0
        while first < len(rows):
            count = batch_size or len(rows)
            if token_budget is not None:
                count = min(count, max(1, token_budget // int(lengths[rows[first]])))
            groups.append(rows[first : first + count])
            first += count
    if shuffle:
        groups = [groups[i] for i in rng.permutation(len(groups))]
    return groups


def _batch(split: EncodedSplit, rows: np.ndarray, longest: int) -> Batch:
    column, places = np.arange(longest), split.sequences_of(rows)
    starts = split.offsets[places]
    keep = column < (split.offsets[places + 1] - starts)[:, None]
    place = np.where(keep, starts[:, None] + column, 0)
    tokens = np.where(keep, split.tokens[place], PAD).astype(np.int64)
    types = keep & (column >= split.second_start[places][:, None])
    shape = (len(rows), longest) if split.each == 1 else (len(rows), split.each, longest)
    return Batch(
        torch.from_numpy(tokens).view(shape),
        torch.from_numpy(keep).view(shape),
        torch.from_numpy(types.astype(np.int64)).view(shape),
        torch.from_numpy(_labels(split, rows, place, keep).astype(np.float32)),
        torch.from_numpy(rows.astype(np.int64)),
    )


def _labels(
    split: EncodedSplit, rows: np.ndarray, place: np.ndarray, keep: np.ndarray
) -> np.ndarray:
    return np.where(keep, split.labels[place], -1) if split.per_token else split.labels[rows]


def token_places(split: EncodedSplit, batch: Batch) -> np.ndarray:
    """Return where the real tokens of a batch stand among all of its split, row by row."""
    starts = split.offsets[split.sequences_of(batch.rows.cpu().numpy())]
    keep = batch.sequences.keep.cpu().numpy()
    return (starts[:, None] + np.arange(keep.shape[1]))[keep]


def mlm_batches(
    blocks: np.ndarray,
    *,
    batch_size: int,
    vocabulary_size: int,
    seed: int = 0,
    mask_rate: float | Callable[[int], float] = 0.15,
    replacement: str = "bert",
    epochs: int | None = None,
    first_epoch: int = 0,
    shuffle: bool = True,
) -> Iterator[MaskedBatch]:
    """Yield masked batches, with new masks and a new order in every pass.

    The number of hidden tokens depends only on the shape of the batch, so that every full batch
    costs the same.

    Args:
        blocks: Ids, `(blocks, length)`.
        batch_size: Blocks per batch; the last batch of a pass may have fewer.
        vocabulary_size: Random replacements are drawn from the ids of no special token below it.
        seed: Decides order and masks.
        mask_rate: Share of all tokens to predict, in (0, 1); special tokens never are. Or what
            gives it for the number of a batch, from 0 on.
        replacement: "bert" puts [MASK] in 80 % of the places, a random token in 10 % and leaves
            10 %; "mask" puts [MASK] everywhere.
        epochs: Number of the pass over the blocks to end before; None never ends.
        first_epoch: Number of the pass to begin with.
        shuffle: False keeps the order of the blocks.

    Raises:
        InvalidExperiment: The mask rate or the replacement is not allowed.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019;
    Liu et al., "RoBERTa", 2019 (new masks in every pass).
    """
    if not callable(mask_rate) and not 0.0 < mask_rate < 1.0:
        raise InvalidExperiment(
            f"The mask rate {mask_rate} is not allowed. Use a number between 0 and 1, such as 0.15."
        )
    if replacement not in _REPLACEMENTS:
        raise InvalidExperiment(
            f"The replacement {replacement!r} is not allowed. "
            f"Use one of {', '.join(_REPLACEMENTS)}."
        )
    passes = itertools.count(first_epoch) if epochs is None else range(first_epoch, epochs)
    return _mlm_batches(
        blocks, batch_size, vocabulary_size, seed, mask_rate, replacement, passes, shuffle=shuffle
    )


def _mlm_batches(
    blocks: np.ndarray,
    batch_size: int,
    vocabulary_size: int,
    seed: int,
    mask_rate: float | Callable[[int], float],
    replacement: str,
    passes: Iterable[int],
    *,
    shuffle: bool,
) -> Iterator[MaskedBatch]:
    for epoch in passes:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(blocks)) if shuffle else np.arange(len(blocks))
        for start in range(0, len(blocks), batch_size):
            chosen = np.asarray(blocks[order[start : start + batch_size]], dtype=np.int64)
            rate = mask_rate
            if callable(mask_rate):
                rate = mask_rate(epoch * -(-len(blocks) // batch_size) + start // batch_size)
            yield _masked(chosen, vocabulary_size, rate, replacement, rng)


def _masked(
    tokens: np.ndarray,
    vocabulary_size: int,
    mask_rate: float,
    replacement: str,
    rng: np.random.Generator,
) -> MaskedBatch:
    flat = tokens.ravel()
    ordinary = flat >= len(SPECIAL_TOKENS)
    count = min(max(1, round(mask_rate * flat.size)), int(ordinary.sum()))
    # the `count` smallest of uniform numbers are a uniform draw without replacement
    draw = np.where(ordinary, rng.random(flat.size, dtype=np.float32), 2.0)
    positions = np.sort(np.argpartition(draw, count - 1)[:count]) if count else np.zeros(0, int)
    targets = flat[positions].copy()
    masked_share, random_share = _REPLACEMENTS[replacement]
    fate = rng.random(count)
    random_ids = rng.integers(len(SPECIAL_TOKENS), vocabulary_size, count)
    flat[positions] = np.where(
        fate < masked_share,
        MASK,
        np.where(fate < masked_share + random_share, random_ids, targets),
    )
    return MaskedBatch(
        torch.from_numpy(tokens),
        torch.ones(tokens.shape, dtype=torch.bool),
        torch.from_numpy(positions),
        torch.from_numpy(targets),
    )
