"""The published cost model of the graph edit distance: positions in an ordered list of blocks.

Source: Tuli et al., "FlexiBERT", JAIR 2023, and its code.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist

from search_spaces.architectures.layers import Layer
from search_spaces.distances.alignment import StepCosts, align_all, by_length
from search_spaces.errors import InvalidArchitecture
from search_spaces.flexibert.definition import SpaceDefinition

EDGE = 0.1
_ORDER = ("l", "sa", "c")


class PublishedCosts:
    """Blocks of a space in a fixed order; a block becomes another at the difference of positions.

    The order: input, output, add_norm, a gap of one, feed-forward widths, a gap, then for the
    operations l, sa and c each, with a gap between, all kinds at every width. Removing or inserting
    a block costs its position (0 for the input), an edge 0.1.

    Differs on purpose: widths are in ascending order, where the published order is that of a Python
    set.

    Args:
        definition: The space whose blocks are listed; by default the FlexiBERT paper's.
    """

    def __init__(self, definition: SpaceDefinition | None = None):
        if definition is None:
            from search_spaces.library import load_space

            definition = load_space("flexibert-test").definition
        self.definition = definition

    @cached_property
    def positions(self) -> dict[str, int]:
        """Label to position; labels as in the `published` attribute of per-layer graphs."""
        definition = self.definition
        labels = ["input", "output", "add_norm", ""]
        labels += [f"f{width}" for width in definition.feedforward_widths]
        for operation in (o for o in _ORDER if o in definition.operations):
            labels.append("")
            for width in definition.widths:
                parameters = definition.operations[operation]
                labels += [f"{operation}_h{width}_p-{parameter}" for parameter in parameters]
        return {label: position for position, label in enumerate(labels) if label}

    def steps(self, first: Sequence[Layer], second: Sequence[Layer]) -> StepCosts:
        """Return the costs of aligning sequences of these layers, edges included.

        Raises:
            InvalidArchitecture: If a layer has a part that the publication does not have.
        """
        sides = (first, second)
        for layer in (x for side in sides for x in side):
            if layer.parts:
                raise InvalidArchitecture(
                    f"The published costs know no {'='.join(map(str, layer.parts[0]))}. Use the "
                    "costs 'blocks', which know every kind."
                )
        heads = [self._head_positions(side) for side in sides]
        counts = [np.array([len(layer.heads) for layer in side]) for side in sides]
        wide = max(rows.shape[1] for rows in heads)
        padded = [np.sort(np.pad(rows, ((0, 0), (0, wide - rows.shape[1])))) for rows in heads]
        # Matching on a line is optimal in sorted order; removed heads are matched with zeros, and
        # each loses two edges.
        ends = [2 * EDGE * count[:, None] for count in counts]
        match = cdist(*map(np.hstack, zip(padded, ends, strict=True)), "cityblock")
        match += self._stacks(first, second)
        reopen = np.minimum.outer(*counts) + 1.0
        reopen *= 2 * EDGE
        gaps = [self._whole(side, rows) for side, rows in zip(sides, heads, strict=True)]
        # without the layers before matched, edges into matched heads and the first norm are lost
        return StepCosts(match, *gaps, reopen=reopen, end=2 * EDGE)

    def position(self, label: str) -> int:
        """Return where a label is in the list.

        Raises:
            InvalidArchitecture: If the space has no such block.
        """
        if label not in self.positions:
            raise InvalidArchitecture(
                f"The published costs have no position for the block {label!r}; they list the "
                f"blocks of one space: {', '.join(self.positions)}. Use costs='blocks', which "
                "needs no list, or PublishedCosts(definition) of a space with this block."
            )
        return self.positions[label]

    def block_positions(self, layers: Sequence[Layer]) -> list[int]:
        """Return the position of every node of an architecture's graph, in its order.

        Raises:
            InvalidArchitecture: If the space has no such block.
        """
        norm, found = self.positions["add_norm"], [self.positions["input"]]
        for layer in layers:
            found += [*self._heads(layer), norm, *self._maps(layer), norm]
        return [*found, self.positions["output"]]

    def _heads(self, layer: Layer) -> list[int]:
        width = layer.width
        return [self.position(f"{h.operation}_h{width}_p-{h.parameter}") for h in layer.heads]

    def _maps(self, layer: Layer) -> list[int]:
        return [self.position(f"f{width}") for width in layer.feedforward]

    def _head_positions(self, layers: Sequence[Layer]) -> np.ndarray:
        rows = [self._heads(layer) for layer in layers]
        wide = max(map(len, rows))
        return np.array([[0] * (wide - len(row)) + row for row in rows], float)

    def _whole(self, layers: Sequence[Layer], heads: np.ndarray) -> np.ndarray:
        stacks = [sum(self._maps(x)) for x in layers]
        edges = [2 * len(x.heads) + len(x.feedforward) + 3 for x in layers]
        norms = 2 * self.positions["add_norm"]
        return heads.sum(axis=1) + np.array(stacks) + norms + EDGE * np.array(edges)

    def _stacks(self, first: Sequence[Layer], second: Sequence[Layer]) -> np.ndarray:
        maps = sorted({width for side in (first, second) for x in side for width in x.feedforward})
        number = {width: i for i, width in enumerate(maps)}
        positions = np.array([self.position(f"f{width}") for width in maps], float)
        match = np.abs(positions[:, None] - positions[None])
        gap = positions + EDGE
        costs = StepCosts(match, gap, gap, np.full_like(match, 2 * EDGE), 2 * EDGE)
        sides = [list(dict.fromkeys(x.feedforward for x in side)) for side in (first, second)]
        coded = [[[number[width] for width in stack] for stack in side] for side in sides]
        table = align_all(coded[0], by_length(coded[1]), costs)
        index = [{stack: i for i, stack in enumerate(side)} for side in sides]
        rows, columns = (
            [of[x.feedforward] for x in layers]
            for of, layers in zip(index, (first, second), strict=True)
        )
        return table[:, columns][rows]
