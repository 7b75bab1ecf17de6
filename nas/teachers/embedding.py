"""A narrow table in place of a trained one: of a small encoder the table is half of all weights.

Source: Eckart and Young, "The approximation of one matrix by another of lower rank", Psychometrika
1936; Lan et al., "ALBERT", ICLR 2020 (a table, then a map).
Differs on purpose: the mean of all vectors is left to the map's bias, where it costs no rank.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from search_spaces.architectures.architecture import Architecture
from search_spaces.kinds import SLOTS
from search_spaces.parts import Part

NARROW = "factorised"
_WHOLE, _TABLE = "embeddings.tokens.weight", "embeddings.tokens.table.weight"


def token_table(weights: Mapping[str, Tensor]) -> str | None:
    """Return the name of the tensor with a row for each token; None where there is none."""
    return next((name for name in (_WHOLE, _TABLE) if name in weights), None)


def may_embed(part: Part, teacher: Architecture) -> bool:
    """Whether a student's embedding can be made of its teacher's: its own, or a narrower table."""
    own = teacher.part("embedding")
    if part == own:
        return True
    if part.kind != NARROW or own != SLOTS["embedding"].default_part:
        return False
    return _rank(part) <= teacher.layers[0].width


def narrowed(weights: Mapping[str, Tensor], child: Architecture) -> dict[str, Tensor]:
    """Return tensors with the token embedding of a child in place of a whole table.

    What comes nearest in the mean square over the vocabulary.

    Args:
        weights: Of an encoder, named as in `Encoder`.
        child: Whose embedding is wanted.
    """
    found, part = dict(weights), child.part("embedding")
    if part.kind != NARROW or _WHOLE not in found:
        return found
    table = found.pop(_WHOLE)
    mean = table.double().mean(0)
    centred = table.double() - mean
    _, directions = torch.linalg.eigh(centred.T @ centred)  # the largest last
    kept = directions[:, -_rank(part) :]
    own = {"table.weight": centred @ kept, "map.weight": kept, "map.bias": mean}
    return found | {
        f"embeddings.tokens.{name}": value.to(table.dtype).contiguous()
        for name, value in own.items()
    }


def _rank(part: Part) -> int:
    return int(SLOTS["embedding"].kinds[NARROW].settings_of(part)["rank"])
