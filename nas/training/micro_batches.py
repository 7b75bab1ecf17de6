"""A step's batch in parts that take less memory; their shares of the loss add up to the whole."""

from collections.abc import Iterator

import torch

from nas.data.batches import Batch, MaskedBatch


def split_examples(batch: Batch, parts: int) -> Iterator[tuple[Batch, float]]:
    """Yield `batch` in at most `parts` parts, each with its share of the mean loss."""
    if parts == 1:
        yield batch, 1.0
        return
    rows = len(batch.labels)
    for chosen in torch.arange(rows).chunk(parts):
        cut = slice(int(chosen[0]), int(chosen[-1]) + 1)
        yield (
            Batch(
                batch.tokens[cut],
                batch.keep[cut],
                batch.token_types[cut],
                batch.labels[cut],
                batch.rows[cut],
            ),
            len(chosen) / rows,
        )


def split_masked(batch: MaskedBatch, parts: int) -> Iterator[tuple[MaskedBatch, float]]:
    """Yield `batch` in at most `parts` parts, each with its share of the masked tokens."""
    if parts == 1:
        yield batch, 1.0
        return
    rows, length = batch.tokens.shape
    for chosen in torch.arange(rows).chunk(parts):
        first, end = int(chosen[0]), int(chosen[-1]) + 1
        inside = (batch.positions >= first * length) & (batch.positions < end * length)
        if not bool(inside.any()):
            continue
        yield (
            MaskedBatch(
                batch.tokens[first:end],
                batch.keep[first:end],
                batch.positions[inside] - first * length,
                batch.targets[inside],
            ),
            int(inside.sum()) / len(batch.targets),
        )
