"""Architectures as numbers a surrogate can learn from with a few dozen results.

Two groups, because they act differently: how big an encoder is decides most of its score, and what
its layers are made of decides the rest, about equally in every layer. Position-wise one-hot codes
spend the few results on telling layers apart; sharing one number over all layers does not.
"""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture, count_parameters

REFERENCE = 256  # architectures drawn to learn which head kinds exist and how features spread


class Featurizer:
    """Standardised features of the architectures of one space.

    Args:
        space: Its seeded sample defines the head kinds and the scale of each feature.
    """

    def __init__(self, space):
        size = getattr(space, "size", None)
        reference = space.sample(REFERENCE if size is None else min(size, REFERENCE), seed=0)
        self.kinds = sorted({h.kind for a in reference for layer in a.layers for h in layer.heads})
        self._cache: dict[str, np.ndarray] = {}
        raw = np.array([self._raw(a) for a in reference])
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
        last two; at the end the slope of width over depth.
        """
        rows = np.empty((len(architectures), len(self._mean)))
        for i, architecture in enumerate(architectures):
            row = self._cache.get(architecture.hash)
            if row is None:
                row = (self._raw(architecture) - self._mean) / self._scale
                self._cache[architecture.hash] = row
            rows[i] = row
        return rows

    def _raw(self, architecture: Architecture) -> np.ndarray:
        layers = architecture.layers
        depth = len(layers)
        shares = dict.fromkeys(self.kinds, 0.0)
        logs = np.zeros(4)
        for layer in layers:
            for head in layer.heads:
                if head.kind in shares:
                    shares[head.kind] += 1 / (len(layer.heads) * depth)
            stack = layer.feedforward
            wide, deep = np.log2(sum(stack) / len(stack)), np.log2(len(stack))
            logs += np.array([np.log2(len(layer.heads)), wide, deep, wide * deep]) / depth
        widths = np.log2([layer.width for layer in layers])
        slope = float(np.linspace(-1, 1, depth) @ widths) if depth > 1 else 0.0
        body = count_parameters(architecture, vocabulary_size=1, max_length=1)
        size = [np.log2(depth), widths.mean(), np.log2(body)]
        return np.array([*size, *shares.values(), *logs, slope])
