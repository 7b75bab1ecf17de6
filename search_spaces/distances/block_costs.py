"""What it costs to turn one layer into another: our cost model, a metric in units of one layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from search_spaces.architectures.facts import Fact, part_facts
from search_spaces.architectures.layers import Layer
from search_spaces.distances.alignment import StepCosts, align_all, by_length
from search_spaces.distances.model_costs import fact_distances
from search_spaces.kinds import LAYER_SLOTS
from search_spaces.operations import operation_of


@dataclass(frozen=True)
class BlockCosts:
    """Costs of edits to layers; a whole layer more or less costs 1 times `layer`.

    A head weighs as much as its share of its layer, and the heads of two layers are matched as
    cheaply as possible (the transport distance; with equally many heads the best assignment,
    divided by their number). Feed-forward stacks are aligned in order. What stands in the slots of
    a layer adds the weighted differences of its facts.

    The weights are in units of one layer and were chosen on half of NAS-Bench-BERT (Serianni and
    Kalita, ACL 2023): under them encoders of like GLUE score are near each other, which equal
    weights do not give. Depth and width decide most of a score, so what a layer does weighs little
    beside them; `experiments/space_signal.py` measures it.

    The distance is a metric for all weights above zero with `operation` at least `parameter`, and
    zero exactly for equal layers.

    Attributes:
        layer: A layer more or less.
        width: The width of a layer doubled.
        operation: All heads of a layer get another operation.
        parameter: All heads of a layer get another parameter of the same operation.
        heads: Twice as many heads of the same kinds.
        feedforward: The width of one feed-forward map doubled.
        depth: A feed-forward map more or less.
    """

    layer: float = 1.0
    width: float = 0.3
    operation: float = 0.04
    parameter: float = 0.02
    heads: float = 0.04
    feedforward: float = 0.03
    depth: float = 0.08

    def steps(self, first: Sequence[Layer], second: Sequence[Layer]) -> StepCosts:
        """Return the costs of aligning sequences of these layers."""
        match = self.between(first, second)
        gap = np.array([self.layer])
        return StepCosts(match, gap.repeat(len(first)), gap.repeat(len(second)))

    def between(self, first: Sequence[Layer], second: Sequence[Layer]) -> np.ndarray:
        """Return the distance of every two layers, `(len(first), len(second))`."""
        kinds = sorted({kind for side in (first, second) for layer in side for kind in layer.kinds})
        sides = [self._coordinates(side, kinds) for side in (first, second)]
        distances = cdist(*sides, "cityblock")
        distances += self._stacks(first, second)
        if any(layer.parts for side in (first, second) for layer in side):
            distances += fact_distances(*([_slot_facts(x) for x in s] for s in (first, second)))
        return distances

    def _coordinates(self, layers: Sequence[Layer], kinds: list[str]) -> np.ndarray:
        # Kinds are the leaves of a tree with the operations above them; on a tree the transport
        # distance is the sum over edges of length times difference of mass. So widths, kinds and
        # number of heads together are a city-block distance.
        operations = sorted({operation_of(kind) for kind in kinds})
        member = np.array([[operation_of(kind) == o for o in operations] for kind in kinds], float)
        column = {kind: i for i, kind in enumerate(kinds)}
        shares = np.zeros((len(layers), len(kinds)))
        for row, layer in zip(shares, layers, strict=True):
            for kind, count in layer.kinds.items():
                row[column[kind]] = count / len(layer.heads)
        sizes = np.log2([[x.width, x.inner_width, len(x.heads)] for x in layers])
        scales = np.array([self.width / 2, self.width / 2, self.heads])
        above = (self.operation - self.parameter) / 2 * (shares @ member)
        return np.hstack([sizes * scales, self.parameter / 2 * shares, above])

    def _stacks(self, first: Sequence[Layer], second: Sequence[Layer]) -> np.ndarray:
        sides = [list(dict.fromkeys(x.feedforward for x in side)) for side in (first, second)]
        maps = sorted({width for side in sides for stack in side for width in stack})
        number = {width: i for i, width in enumerate(maps)}
        octaves = np.log2(maps)
        gap = np.full(len(maps), self.depth)
        match = self.feedforward * np.abs(octaves[:, None] - octaves[None])
        coded = [[[number[width] for width in stack] for stack in side] for side in sides]
        table = align_all(coded[0], by_length(coded[1]), StepCosts(match, gap, gap))
        index = [{stack: i for i, stack in enumerate(side)} for side in sides]
        rows, columns = (
            [of[x.feedforward] for x in layers]
            for of, layers in zip(index, (first, second), strict=True)
        )
        return table[:, columns][rows]


def _slot_facts(layer: Layer) -> list[Fact]:
    return [fact for slot in LAYER_SLOTS for fact in part_facts("layer", slot, layer.part(slot))]
