"""Disentangled attention: content meets position both ways, by one table of distances for all.

A score is the product of query and key, plus that of the query with the key of their distance,
plus that of the key with the query of their distance, over the root of three times the width of a
head. Distances are exact near by and on a logarithmic scale further off. Queries and keys of
distances are made by the maps that make those of tokens.

Source: He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", ICLR 2021; He,
Gao, Chen, "DeBERTaV3", ICLR 2023 (shared maps, buckets).
Differs on purpose: where the width changes between layers, the table passes the same projection as
the hidden states do (our definition); without any head that reads it there is no table; its norm is
of the kind that the encoder has. As in the published code, and not in the paper's formula, the key
meets the query of the distance query minus key.
"""

import math

import torch
from torch import Tensor, nn

from nas.models.mixers.base import exporting
from nas.models.norms import make_norm
from nas.models.positions.base import POSITIONS, Positions
from search_spaces.kinds import SLOTS, Kind, ModelShape
from search_spaces.parts import Part, Setting

BUCKETS, REACH = 256, 512
SETTINGS = {"buckets": Setting(BUCKETS, least=2), "reach": Setting(REACH, least=2, weight=0.005)}


def bucket(distance: int, buckets: int, reach: int) -> int:
    """Return the bucket of a distance, an odd function: exact up to half of the buckets."""
    middle, size = buckets // 2, abs(distance)
    if size <= middle or reach - 1 <= middle:
        return distance
    share = math.log(size / middle) / math.log((reach - 1) / middle)
    return (middle + math.ceil(share * (middle - 1))) * (1 if distance > 0 else -1)


def _parameters(shape: ModelShape, part: Part) -> int:
    if not shape.attends:
        return 0
    rows = 2 * dict(part.settings).get("buckets", BUCKETS)
    return rows * shape.widths[0] + shape.norm(shape.widths[0])


def _rows(part: Part, length: int) -> int:
    buckets, reach = (dict(part.settings).get(n, s.default) for n, s in SETTINGS.items())
    furthest = bucket(length - 1, buckets, reach)
    return min(buckets + furthest, 2 * buckets - 1) - max(buckets - furthest, 0) + 1


SLOTS["positions"].kinds.register("disentangled")(
    Kind(
        "disentangled",
        "content meets a table of distances, both ways",
        SETTINGS,
        parameters=_parameters,
        rows=_rows,
    )
)


class DistanceRows(nn.Embedding):
    """A learned vector for each bucket of distances, and their norm."""

    def __init__(self, rows: int, width: int, norm: Part):
        super().__init__(rows, width)
        self.norm = make_norm(norm, width)

    def forward(self) -> Tensor:
        """Return all vectors, `(rows, width)`."""
        return self.norm(self.weight)


class Buckets(nn.Module):
    """The row of the table for each pair of tokens."""

    def __init__(self, buckets: int, reach: int):
        super().__init__()
        self.buckets, self.reach = buckets, reach

    def forward(self, length: int, device: torch.device) -> tuple[slice, Tensor]:
        """Return the rows that occur, and which of them each pair has, `(length, length)`."""
        place = torch.arange(length, device=device)
        distance, middle = place[:, None] - place, self.buckets // 2
        row = distance
        if self.reach - 1 > middle:
            ratio = distance.abs().clamp(min=middle).double() / middle
            share = ratio.log() / math.log((self.reach - 1) / middle)
            far = middle + (share * (middle - 1)).ceil().long()
            row = torch.where(distance.abs() <= middle, distance, distance.sign() * far)
        row = (row + self.buckets).clamp(0, 2 * self.buckets - 1)
        if exporting():  # which rows occur depends on the length, that a graph leaves open
            return slice(None), row
        furthest = bucket(length - 1, self.buckets, self.reach)
        first, last = max(self.buckets - furthest, 0), self.buckets + furthest
        return slice(first, last + 1), row - first


@POSITIONS.register("disentangled")
class DisentangledPositions(Positions):
    """One table of distances for the encoder.

    Args:
        max_length: Longest sequence, in tokens.
        buckets: Rows of the table in each direction.
        reach: Distance, one less, that has the last bucket.
    """

    def __init__(self, max_length: int, buckets: int = BUCKETS, reach: int = REACH):
        super().__init__(max_length)
        self._buckets, self.reach = buckets, reach

    def table(self, width: int, norm: Part) -> nn.Module:
        return DistanceRows(2 * self._buckets, width, norm)

    def buckets(self) -> nn.Module:
        return Buckets(self._buckets, self.reach)
