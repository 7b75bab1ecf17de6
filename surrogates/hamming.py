"""Gaussian process over position-wise differences: the strongest general peer we measured."""

import numpy as np

from surrogates.gaussian_process import Kernels, SumKernelGP
from surrogates.model_policy import ModelPolicy


def gp_hamming(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "gp-hamming"."""
    codes = LayerCodes()
    return ModelPolicy(
        name, space, objectives, seed, constraints, options,
        make_model=lambda sign, features: SumKernelGP(codes, Hamming()),
    )  # fmt: skip


class LayerCodes:
    """Each layer as four codes (width, heads, kinds, feed-forward) and the depth in front.

    Layers beyond the depth are -1. Codes are given in the order of first appearance, so they mean
    something only within one instance.
    """

    def __init__(self, layers: int = 32):
        self._layers = layers
        self._codes: dict[object, int] = {}
        self._rows: dict[str, np.ndarray] = {}

    def __call__(self, architectures) -> np.ndarray:
        rows = np.empty((len(architectures), 1 + 4 * self._layers))
        for i, architecture in enumerate(architectures):
            known = self._rows.get(architecture.hash)
            if known is None:
                known = self._rows[architecture.hash] = self._coded(architecture)
            rows[i] = known
        return rows

    def _coded(self, architecture) -> np.ndarray:
        row = np.full(1 + 4 * self._layers, -1.0)
        row[0] = len(architecture.layers)
        for i, layer in enumerate(architecture.layers[: self._layers]):
            kinds = tuple(sorted(head.kind for head in layer.heads))
            values = (layer.width, len(layer.heads), kinds, layer.feedforward)
            for j, value in enumerate(values):
                row[1 + 4 * i + j] = self._codes.setdefault((j, value), len(self._codes))
        return row


class Hamming(Kernels):
    """Exponential kernels of the number of differing codes, at three lengths."""

    weights = (0.5, 0.5, 0.5)
    lengths = (1.0, 4.0, 12.0)

    def cross(self, a, b):
        used = np.flatnonzero((a >= 0).any(0) | (b >= 0).any(0))
        differing = np.zeros((len(a), len(b)))
        for column in used:
            differing += a[:, column, None] != b[None, :, column]
        return np.stack([np.exp(-differing / length) for length in self.lengths])

    def diagonal(self, a):
        return np.ones((len(self.lengths), len(a)))
