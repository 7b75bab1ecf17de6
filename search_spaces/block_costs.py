"""What it costs to turn one layer into another: our cost model, a metric in units of one layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_spaces.alignment import StepCosts, align_all
from search_spaces.architecture import Layer


@dataclass(frozen=True)
class BlockCosts:
    """Costs of edits to layers; a whole layer more or less costs 1 times `layer`.

    Heads of two layers are matched one to one as cheaply as possible, and a head weighs as much as
    its share of its layer. With m heads against M >= m, that is exactly

        (m - operations_alike) / M * operation
        + (operations_alike - kinds_alike) / M * parameter
        + (1 - m / M) * heads,

    where the heads alike are counted by the largest possible matchings: because heads of one kind
    are closer than heads of one operation, and these closer than others, matching the closest first
    is optimal. Feed-forward stacks are aligned in order.

    The default weights were chosen for the rank correlation of a Gaussian process on the public half
    of NAS-Bench-BERT.

    Attributes:
        layer: A layer more or less.
        width: The width of a layer doubled.
        operation: All heads of a layer get another operation.
        parameter: All heads of a layer get another parameter of the same operation.
        heads: Half of this for twice as many heads of the same kinds, at most all of it.
        feedforward: The width of one feed-forward map doubled.
        depth: A feed-forward map more or less.
    """

    layer: float = 1.0
    width: float = 0.5
    operation: float = 1.0
    parameter: float = 0.25
    heads: float = 0.5
    feedforward: float = 0.25
    depth: float = 0.25

    def steps(self, first: Sequence[Layer], second: Sequence[Layer]) -> StepCosts:
        """Return the costs of aligning sequences of these layers."""
        match = self.between(first, second)
        gap = np.array([self.layer])
        return StepCosts(match, gap.repeat(len(first)), gap.repeat(len(second)))

    def between(self, first: Sequence[Layer], second: Sequence[Layer]) -> np.ndarray:
        """Return the distance of every two layers, `(len(first), len(second))`."""
        widths = [np.array([[x.width, x.inner_width] for x in side]) for side in (first, second)]
        octaves = np.abs(np.log2(widths[0])[:, None] - np.log2(widths[1])[None]).mean(axis=2)
        return self.width * octaves + self._heads(first, second) + self._stacks(first, second)

    def _heads(self, first: Sequence[Layer], second: Sequence[Layer]) -> np.ndarray:
        sides = (first, second)
        kinds = sorted(
            {(h.operation, h.parameter) for side in sides for x in side for h in x.heads}, key=str
        )
        operations = sorted({operation for operation, _ in kinds})
        by_kind = [_counts(side, kinds, lambda h: (h.operation, h.parameter)) for side in sides]
        by_operation = [_counts(side, operations, lambda h: h.operation) for side in sides]
        alike = _common(*by_kind)
        akin = _common(*by_operation)
        totals = [counts.sum(axis=1) for counts in by_kind]
        fewer = np.minimum(totals[0][:, None], totals[1][None])
        more = np.maximum(totals[0][:, None], totals[1][None])
        kind_cost = (fewer - akin) * self.operation + (akin - alike) * self.parameter
        return kind_cost / more + (1 - fewer / more) * self.heads

    def _stacks(self, first: Sequence[Layer], second: Sequence[Layer]) -> np.ndarray:
        stacks = [dict.fromkeys(x.feedforward for x in side) for side in (first, second)]
        for side in stacks:
            side.update({stack: i for i, stack in enumerate(side)})
        maps = sorted({width for side in stacks for stack in side for width in stack})
        number = {width: i for i, width in enumerate(maps)}
        octaves = np.log2(np.array(maps))
        costs = StepCosts(
            self.feedforward * np.abs(octaves[:, None] - octaves[None]),
            np.full(len(maps), self.depth),
            np.full(len(maps), self.depth),
        )
        coded = [[[number[width] for width in stack] for stack in side] for side in stacks]
        table = align_all(*coded, costs)
        rows = [
            np.array([side[x.feedforward] for x in layers])
            for side, layers in zip(stacks, (first, second), strict=True)
        ]
        return table[np.ix_(*rows)]


def _counts(layers, names, of) -> np.ndarray:
    column = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(layers), len(names)))
    for i, layer in enumerate(layers):
        for head in layer.heads:
            counts[i, column[of(head)]] += 1
    return counts


def _common(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    # size of the largest matching that joins only equal names, summed column by column for memory
    common = np.zeros((len(first), len(second)))
    for a, b in zip(first.T, second.T, strict=True):
        common += np.minimum(a[:, None], b[None])
    return common
