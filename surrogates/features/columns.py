"""Architectures as numbers a surrogate can learn from with a few dozen results.

Three groups, because they act differently: how big an encoder is decides most of its score, what
its layers are made of decides the rest, and the first and the last layer count differently from
those between. Position-wise one-hot codes spend the few results on telling layers apart; sharing
one number over all layers does not.
"""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture, count_parameters
from search_spaces.architectures.facts import Columns
from search_spaces.architectures.layers import Layer

REFERENCE = 256  # architectures drawn to learn which head kinds exist and how features spread
CHUNK = 5_000  # architectures put into arrays at a time


class Featurizer:
    """Standardised features of the architectures of one space.

    The features of each distinct layer are computed once; those of many architectures then follow
    by array operations.

    Args:
        space: Its seeded sample defines the head kinds and the scale of each feature.
        ends: Also describe how the first and the last layer differ from the mean layer.

    Attributes:
        columns: What else than kinds of heads, sizes and depths varies in the space.
    """

    def __init__(self, space, *, ends: bool = True):
        size = getattr(space, "size", None)
        reference = space.sample(REFERENCE if size is None else min(size, REFERENCE), seed=0)
        self.reference, self.columns = reference, Columns.of(space)
        self.kinds = sorted({h.kind for a in reference for layer in a.layers for h in layer.heads})
        self._ends = ends
        self._code: dict[Layer, int] = {}
        self._described: list[np.ndarray] = []
        raw = self._raw(reference)
        self._mean, spread = raw.mean(0), raw.std(0)
        self._scale = np.where(spread > 1e-9, spread, 1.0)

    @property
    def sizes(self) -> int:
        """How many of the leading features describe size."""
        return 3

    def __call__(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the features of `architectures`, `(n, features)`.

        The first three are the logarithms of depth, mean width and parameters without
        embeddings. Then, each averaged over the layers: the share of every head kind, and the
        logarithms of heads, feed-forward width, feed-forward stack depth and the product of the
        last two; the slope of width over depth; with `ends`, by how much heads, feed-forward
        width and stack depth of the last and of the first layer exceed the mean; and, where slots
        or the recipe vary, their columns, those of layers averaged.
        """
        chunks = [
            (self._raw(architectures[i : i + CHUNK]) - self._mean) / self._scale
            for i in range(0, len(architectures), CHUNK)
        ]
        return np.concatenate(chunks) if chunks else np.empty((0, len(self._mean)))

    def _raw(self, architectures: Sequence[Architecture]) -> np.ndarray:
        codes, depth = self.numbered(architectures)
        table = np.array(self._described)
        table = np.concatenate([table, np.zeros((1, table.shape[1]))])  # row -1: no layer
        layers = table[codes]  # (n, longest, described)
        rows = np.arange(len(codes))
        present = np.arange(codes.shape[1]) < depth[:, None]
        slots = 3 + len(self.kinds) + 4  # where the columns of slots begin
        means = layers[:, :, 3:slots].sum(1) / depth[:, None]
        width, last = layers[..., 0], layers[rows, depth - 1]
        logs = layers[..., 1]
        before, after, joined = width[:, :-1], width[:, 1:], present[:, 1:]
        projections = ((before + 1) * after * (joined & (before != after))).sum(1)
        body = layers[..., 2].sum(1) + projections + 6 * width[:, 0] + (last[:, 0] + 1) * last[:, 0]
        place = 2 * np.arange(codes.shape[1]) / np.maximum(depth - 1, 1)[:, None] - 1
        slope = np.where(depth > 1, (place * logs * present).sum(1), 0.0)
        columns = [
            np.log2(depth)[:, None], (logs.sum(1) / depth)[:, None], np.log2(body)[:, None],
            means, slope[:, None],
        ]  # fmt: skip
        if self._ends:
            content = slice(len(self.kinds), len(self.kinds) + 3)
            columns += [
                side[:, 3:][:, content] - means[:, content] for side in (last, layers[:, 0])
            ]
        if self.columns:
            columns.append(layers[:, :, slots:].sum(1) / depth[:, None])
            columns.append(self.columns.of_models(architectures))
        return np.concatenate(columns, axis=1)

    @property
    def layers(self) -> list[Layer]:
        """The distinct layers met so far, in the order of their numbers."""
        return list(self._code)

    def numbered(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return a number for each layer, `(n, longest)`, -1 beyond the end, and depths, `(n,)`."""
        depth = np.array([len(a.layers) for a in architectures])
        flat = [layer for a in architectures for layer in a.layers]
        # spaces share layer objects, and identity is far cheaper to look up than equality; the
        # numbers are safe because `flat` keeps every object alive
        known = {id(layer): layer for layer in flat}
        number = {key: self._number(layer) for key, layer in known.items()}
        codes = np.full((len(depth), depth.max()), -1)
        codes[np.arange(codes.shape[1]) < depth[:, None]] = [number[id(layer)] for layer in flat]
        return codes, depth

    def _number(self, layer: Layer) -> int:
        code = self._code.get(layer)
        if code is None:
            code = self._code[layer] = len(self._described)
            self._described.append(self._describe(layer))
        return code

    def _describe(self, layer: Layer) -> np.ndarray:
        """Width, its log, own parameters, share of each kind, four logarithms, what is in slots."""
        shares = dict.fromkeys(self.kinds, 0.0)
        for head in layer.heads:
            if head.kind in shares:
                shares[head.kind] += 1 / len(layer.heads)
        stack, width = layer.feedforward, layer.width
        wide, deep = np.log2(sum(stack) / len(stack)), np.log2(len(stack))
        alone = count_parameters(Architecture([layer]), vocabulary_size=1, max_length=1)
        own = alone - 6 * width - (width + 1) * width  # without embeddings and pooler
        logs = [np.log2(len(layer.heads)), wide, deep, wide * deep]
        slots = self.columns.of_layer(layer)
        return np.array([width, np.log2(width), own, *shares.values(), *logs, *slots])
