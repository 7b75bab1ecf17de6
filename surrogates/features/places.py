"""Architectures place by place: what stands at each relative depth, attribute by attribute.

Two encoders of different depth are compared at equal relative depth. Squared distance over the
columns of an attribute is the share of places that differ in it, or by how many steps of a number,
or how little the kinds of heads have in common. What varies in slots and in the recipe is compared
likewise, each slot and each field as an attribute of its own.
"""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.operations import operation_of
from surrogates.features.columns import CHUNK, Featurizer

PLACES = 12  # at most; a deeper encoder is seen at every so-many-th layer
STEPS = 4  # into which the values of a number are divided at most

# what is compared in every space, in the order of the groups
ATTRIBUTES = ("depth", "kinds", "operations", "width", "heads", "wide", "deep")


class PlaceFeatures:
    """Sizes, then the codes of the depth, of every place, and of what the model has once.

    Args:
        features: Of the space; its sizes are the leading columns, and its reference says which
            values occur.

    Attributes:
        features: As given.
        attributes: What is compared: `ATTRIBUTES`, the slots of layers that vary, then those of the
            model and the fields of the recipe that do.
        groups: For each column after the sizes the position in `attributes`, `(columns,)`.
    """

    def __init__(self, features: Featurizer):
        self.features, reference = features, features.reference
        layers = {layer for a in reference for layer in a.layers}
        self._operations = sorted({operation_of(kind) for kind in features.kinds})
        numbers = np.array([_numbers(layer) for layer in layers])
        self._edges = [_edges(column) for column in numbers.T]
        depths = np.array([len(a.layers) for a in reference])
        self._depths, self._places = np.unique(depths), min(PLACES, int(depths.max()))
        columns = features.columns
        slots = tuple(dict.fromkeys(columns.layer_groups))
        self.attributes = (*ATTRIBUTES, *slots, *columns.model_choices)
        sizes = [len(features.kinds), len(self._operations), *map(len, self._edges)]
        sizes += [columns.layer_groups.count(slot) for slot in slots]
        self._of_layer = np.repeat(np.arange(1, 1 + len(sizes)), sizes)
        in_layers = np.array([columns.of_layer(layer) for layer in layers])
        self._layer_scale = _scales(columns.layer_names, in_layers)
        self._model_scale = _scales(columns.model_names, columns.of_models(reference))
        self._table = np.empty((0, len(self._of_layer)))
        of_depth = np.zeros(len(self._depths), int)
        # positions by group, as a slot's name may be that of another attribute
        first = 1 + len(sizes)
        place = {name: first + i for i, name in enumerate(columns.model_choices)}
        of_model = np.array([place[group] for group in columns.model_groups], int)
        self.groups = np.concatenate([of_depth, np.tile(self._of_layer, self._places), of_model])

    @property
    def sizes(self) -> int:
        """How many of the leading columns describe size."""
        return self.features.sizes

    def __call__(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the rows of `architectures`, `(n, sizes + columns)`."""
        rows = np.empty((len(architectures), self.sizes + len(self.groups)))
        for i in range(0, len(architectures), CHUNK):
            chunk = architectures[i : i + CHUNK]
            rows[i : i + CHUNK, : self.sizes] = self.features(chunk)[:, : self.sizes]
            rows[i : i + CHUNK, self.sizes :] = self._codes(chunk)
        return rows

    def _codes(self, architectures: Sequence[Architecture]) -> np.ndarray:
        numbers, depth = self.features.numbered(architectures)
        known = self.features.layers
        if len(known) > len(self._table):
            new = [self._describe(layer) for layer in known[len(self._table) :]]
            self._table = np.concatenate([self._table, new])
        at = ((np.arange(self._places) + 0.5) / self._places * depth[:, None]).astype(int)
        layers = self._table[np.take_along_axis(numbers, at, axis=1)]  # (n, places, codes)
        depths = (depth[:, None] == self._depths) / np.sqrt(2)
        codes = [depths, layers.reshape(len(depth), -1) / np.sqrt(self._places)]
        if len(self._model_scale):
            codes.append(self.features.columns.of_models(architectures) * self._model_scale)
        return np.hstack(codes)

    def _describe(self, layer: Layer) -> np.ndarray:
        # half the squared distance of the roots of two shares: 1 where they have nothing in common
        kinds, operations = np.zeros(len(self.features.kinds)), np.zeros(len(self._operations))
        for head in layer.heads:
            if head.kind in self.features.kinds:
                kinds[self.features.kinds.index(head.kind)] += 1 / len(layer.heads)
            if head.operation in self._operations:
                operations[self._operations.index(head.operation)] += 1 / len(layer.heads)
        steps = [
            (number > edges) / np.sqrt(max(1, len(edges)))
            for number, edges in zip(_numbers(layer), self._edges, strict=True)
        ]
        slots = self.features.columns.of_layer(layer) * self._layer_scale
        return np.concatenate([np.sqrt(kinds / 2), np.sqrt(operations / 2), *steps, slots])


def _numbers(layer: Layer) -> tuple[float, float, float, float]:
    """Logarithms of width, heads and mean feed-forward width, and the stack's depth."""
    stack = layer.feedforward
    wide = sum(np.log2(width) for width in stack) / len(stack)
    return np.log2(layer.width), np.log2(len(layer.heads)), wide, float(len(stack))


def _scales(names: Sequence[str], values: np.ndarray) -> np.ndarray:
    """Return what columns of facts are multiplied by, `(columns,)`.

    Another name differs in two columns, its own and the other's, and counts 1; so does the whole
    range of a number.
    """
    if not names:
        return np.zeros(0)
    spread = np.ptp(values, axis=0)
    numbers = 1 / np.where(spread > 1e-9, spread, 1.0)
    return np.where(["=" in name for name in names], np.sqrt(0.5), numbers)


def _edges(values: np.ndarray) -> np.ndarray:
    """Return what lies between the steps of a number: between its values, if they are few."""
    values = np.unique(values.round(9))
    if len(values) > STEPS + 1:
        values = np.quantile(values, np.linspace(0, 1, STEPS + 1))
    return (values[1:] + values[:-1]) / 2
