"""Which layers of a trained encoder a cut of each depth keeps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nas.data.batches import Batch
from nas.models.encoder import Encoder
from nas.teachers.cuttable import fixed_layers
from search_spaces.architectures.architecture import Architecture


@torch.inference_mode()
def choose_layers(encoder: Encoder, batches: Sequence[Batch]) -> list[tuple[int, ...]]:
    """Return, for each number of layers from one to all, which ones stay, ascending.

    One layer after another goes, but for the first where it is of a form of its own: each time that
    without which the last hidden states stay nearest to those of the whole encoder.

    Args:
        encoder: The whole one.
        batches: Some text.
    """
    encoder.eval()
    fixed = fixed_layers(encoder.architecture)
    read = [encoder.embeddings(batch.tokens, batch.token_types) for batch in batches]
    whole = [encoder(batch.tokens, batch.keep, batch.token_types) for batch in batches]
    stay = tuple(range(len(encoder.layers)))
    found = [stay]
    while len(stay) > 1:
        going = [layer for layer in stay if layer not in fixed]
        fewer = [tuple(layer for layer in stay if layer != gone) for gone in going]
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
    end = encoder.output_norm or torch.nn.Identity()
    for batch, x, target in zip(batches, read, whole, strict=True):
        for number in kept:
            x = encoder.layers[number](x, batch.keep)
        total += float((end(x) - target)[batch.keep].square().mean())
    return total


def matching_layers(
    child: Architecture,
    teacher: Architecture,
    chosen: Sequence[Sequence[int]],
    count: int | None = None,
) -> list[int]:
    """Return which layers of a teacher those of a cut come from, ascending.

    Each layer of the cut comes from one of its own form and kind of head, as far as the order
    allows; among these, those that would go last. Of a teacher whose layers are alike, that is
    `chosen` for as many.

    Args:
        child: The cut. Its mixers that the teacher does not have may stand in for any.
        teacher: What it is cut out of.
        chosen: For each number of layers from one to all, which stay; each holds those before it.
        count: So many at least, of which the cut will keep its own later; None for its own alone.
    """
    kinds = {layer.heads[0].kind for layer in teacher.layers}
    late = {layer: -n for n, kept in reversed(list(enumerate(chosen, 1))) for layer in kept}
    worst = (len(child.layers) + 1, 0, 0)

    def cost(mine: int, its: int) -> tuple[int, int, int]:
        own, other = child.layers[mine], teacher.layers[its]
        kind = own.heads[0].kind
        return (
            own.parts != other.parts,
            kind in kinds and kind != other.heads[0].kind,
            -late[its] - len(teacher.layers) - 1,
        )

    # best[i][j]: the layers from i on come from those from j on
    depth, whole = len(child.layers), len(teacher.layers)
    best = [[(worst, ())] * (whole + 1) for _ in range(depth)] + [[((0, 0, 0), ())] * (whole + 1)]
    for mine in range(depth - 1, -1, -1):
        for its in range(whole - 1, -1, -1):
            rest, kept = best[mine + 1][its + 1]
            total = tuple(a + b for a, b in zip(cost(mine, its), rest, strict=True))
            here = [(total, (its, *kept))] if len(kept) == depth - mine - 1 else []
            best[mine][its] = min([*here, best[mine][its + 1]], key=lambda found: found[0])
    kept = set(best[0][0][1])
    more = [layer for layer in sorted(late, key=late.get, reverse=True) if layer not in kept]
    return sorted([*kept, *more[: (count or depth) - depth]])
