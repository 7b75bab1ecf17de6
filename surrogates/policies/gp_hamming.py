"""Gaussian process over position-wise differences: the strongest general peer we measured."""

import numpy as np

from search_spaces.architectures.facts import Columns, choice_of
from surrogates.models.gaussian_process import Kernels, SumKernelGP
from surrogates.policies.model_policy import ModelPolicy

REMEMBERED = 50_000  # architectures, 520 bytes each where nothing varies in slots
LAYERS = 32  # that are told apart at least


def gp_hamming(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "gp-hamming".

    Partial results are learned with a bias and noise of their fidelity; see `SumKernelGP`.
    """
    codes, fits = LayerCodes.of(space), {}
    return ModelPolicy(
        name, space, objectives, seed, constraints, options,
        make_model=lambda sign, features: SumKernelGP(codes, Hamming(), fits=fits),
    )  # fmt: skip


class LayerCodes:
    """Each layer as four codes (width, heads, kinds, feed-forward) and the depth in front.

    A layer has one more code for each slot that varies; those of the model and of its recipe follow
    the layers, and then one code for all layers beyond `layers`. Layers beyond the depth are -1.
    Codes are given in the order of first appearance, so they mean something only within one
    instance.

    Args:
        layers: How many are told apart one by one; what is deeper differs or not as a whole.
        varying: What varies in slots and recipe of the space; None for nothing.
    """

    def __init__(self, layers: int = LAYERS, varying: Columns | None = None):
        self._layers = layers
        self._slots = varying.layer_slots if varying else ()
        self._choices = varying.model_choices if varying else ()
        self._each = 4 + len(self._slots)
        self._columns = 2 + self._each * layers + len(self._choices)
        self._codes: dict[object, int] = {}
        self._of_layer: dict[str, list[int]] = {}
        self._rows: dict[str, np.ndarray] = {}

    @classmethod
    def of(cls, space) -> "LayerCodes":
        """Return codes that tell apart all layers of a space that says how deep it is."""
        return cls(max(LAYERS, getattr(space, "max_layers", LAYERS)), Columns.of(space))

    def __call__(self, architectures) -> np.ndarray:
        if len(self._rows) > REMEMBERED:
            self._rows.clear()
        rows = np.empty((len(architectures), self._columns), np.int32)
        for i, architecture in enumerate(architectures):
            known = self._rows.get(architecture.hash)
            if known is None:
                known = self._rows[architecture.hash] = self._coded(architecture)
            rows[i] = known
        return rows

    def _coded(self, architecture) -> np.ndarray:
        row = np.full(self._columns, -1, np.int32)
        row[0] = len(architecture.layers)
        codes = [self._layer(layer) for layer in architecture.layers[: self._layers]]
        row[1 : 1 + self._each * len(codes)] = np.ravel(codes)
        for i, name in enumerate(self._choices, start=1 + self._each * self._layers):
            item = name, choice_of(architecture, name)
            row[i] = self._codes.setdefault(item, len(self._codes))
        if deeper := architecture.layers[self._layers :]:
            item = "deeper", tuple(layer.canonical for layer in deeper)
            row[-1] = self._codes.setdefault(item, len(self._codes))
        return row

    def _layer(self, layer) -> list[int]:
        known = self._of_layer.get(layer.canonical)
        if known is None:
            kinds = tuple(sorted(head.kind for head in layer.heads))
            values = [layer.width, len(layer.heads), kinds, layer.feedforward]
            values += [layer.part(slot) for slot in self._slots]
            known = [self._codes.setdefault(item, len(self._codes)) for item in enumerate(values)]
            self._of_layer[layer.canonical] = known
        return known


class Hamming(Kernels):
    """Exponential kernels of the number of differing codes, at three lengths."""

    weights = (0.5, 0.5, 0.5)
    lengths = (1.0, 4.0, 12.0)

    def cross(self, a, b):
        return np.moveaxis(self._of_distance(a.shape[1])[differing(a, b)], -1, 0)

    def weighted(self, weights, a, b):
        return np.take(self._of_distance(a.shape[1]) @ weights, differing(a, b))

    def _of_distance(self, columns: int) -> np.ndarray:
        """Return every kernel at every number of differing codes, `(columns + 1, kernels)`."""
        return np.exp(-np.arange(columns + 1)[:, None] / self.lengths)

    def diagonal(self, a):
        return np.ones((len(self.lengths), len(a)))


def differing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return in how many codes rows differ, `(n, m)`."""
    used = np.flatnonzero((a >= 0).any(0) | (b >= 0).any(0))
    columns_a, columns_b = a[:, used].T.copy(), b[:, used].T.copy()
    small = len(used) <= np.iinfo(np.uint8).max
    differing = np.zeros((len(a), len(b)), np.uint8 if small else np.uint16)
    unequal = np.empty(differing.shape, bool)
    for x, y in zip(columns_a, columns_b, strict=True):
        np.not_equal(x[:, None], y[None], out=unequal)
        differing += unequal.view(np.uint8)
    return differing
