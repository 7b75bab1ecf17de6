"""Which layers of a trained encoder a cut of each depth keeps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nas.data.batches import Batch
from nas.models.encoder import Encoder


@torch.inference_mode()
def choose_layers(encoder: Encoder, batches: Sequence[Batch]) -> list[tuple[int, ...]]:
    """Return, for each number of layers from one to all, which ones stay, ascending.

    One layer after another goes: each time that without which the last hidden states stay nearest
    to those of the whole encoder.

    Args:
        encoder: The whole one.
        batches: Some text.
    """
    encoder.eval()
    read = [encoder.embeddings(batch.tokens, batch.token_types) for batch in batches]
    whole = [encoder(batch.tokens, batch.keep, batch.token_types) for batch in batches]
    stay = tuple(range(len(encoder.layers)))
    found = [stay]
    while len(stay) > 1:
        fewer = [tuple(layer for layer in stay if layer != gone) for gone in stay]
        # of equals the upper one goes: min takes the first, and the first would be the lowest
        stay = min(reversed(fewer), key=lambda kept: _error(encoder, kept, batches, read, whole))
        found.insert(0, stay)
    return found


def _error(
    encoder: Encoder,
    kept: Sequence[int],
    batches: Sequence[Batch],
    read: Sequence[Tensor],
    whole: Sequence[Tensor],
) -> float:
    total = 0.0
    for batch, x, target in zip(batches, read, whole, strict=True):
        for number in kept:
            x = encoder.layers[number](x, batch.keep)
        total += float((x - target)[batch.keep].square().mean())
    return total
