"""The kernels of BOSHNAS's model of places: how much each attribute counts is learned.

Source: of one relevance per input, Neal, "Bayesian Learning for Neural Networks", Springer 1996
(automatic relevance determination).
Differs on purpose: an attribute has one relevance at all places together, so that a few dozen
results suffice.
"""

from collections.abc import Sequence

import numpy as np

from surrogates.features.places import ATTRIBUTES
from surrogates.models.gaussian_process import Kernels

SHAPE = [ATTRIBUTES.index("depth"), ATTRIBUTES.index("width")]


class PlaceByPlace(Kernels):
    """A line in size; alike for alike depth and width; alike where every place is alike.

    Args:
        sizes: Number of leading size columns.
        groups: The attribute of each column after them, `(columns,)`.
        relevance: Of each attribute, `(attributes,)`.
        attributes: What the groups are positions in; `ATTRIBUTES` come first.
    """

    weights = (0.14, 0.37, 1.0)

    def __init__(
        self,
        sizes: int,
        groups: np.ndarray,
        relevance: np.ndarray | None = None,
        attributes: Sequence[str] = ATTRIBUTES,
    ):
        self._sizes, self._groups, self._attributes = sizes, groups, attributes
        self._relevance = np.ones(len(attributes)) if relevance is None else relevance
        self._in_shape = np.isin(groups, SHAPE)

    @property
    def acts(self):
        acts = np.zeros((len(self.weights), len(self._attributes)))
        acts[1, SHAPE] = acts[2] = 1
        return acts

    def tuned(self, relevance):
        return PlaceByPlace(self._sizes, self._groups, relevance, self._attributes)

    def gaps(self, rows):
        codes = rows[:, self._sizes :]
        return np.stack([_squares(*[codes[:, self._groups == g]] * 2) for g in self._every])

    @property
    def _every(self) -> range:
        return range(len(self._attributes))

    def cross(self, a, b):
        size_a, size_b = a[:, : self._sizes], b[:, : self._sizes]
        codes_a, codes_b = self._scaled(a), self._scaled(b)
        shape = _squares(codes_a[:, self._in_shape], codes_b[:, self._in_shape])
        return np.stack(
            [
                size_a @ size_b.T / self._sizes,
                np.exp(-shape),
                np.exp(-_squares(codes_a, codes_b)),
            ]
        )

    def weighted(self, weights, a, b):
        # the same sum as of `cross`, in place: most of the time of scoring many candidates
        codes_a, codes_b = self._scaled(a), self._scaled(b)
        within = self._in_shape
        shape = _squares(codes_a[:, within], codes_b[:, within])
        total = _squares(codes_a[:, ~within], codes_b[:, ~within])
        total += shape
        for squares, weight in ((shape, weights[1]), (total, weights[2])):
            np.negative(squares, out=squares)
            np.exp(squares, out=squares)
            squares *= weight
        total += shape
        total += (weights[0] / self._sizes * a[:, : self._sizes]) @ b[:, : self._sizes].T
        return total

    def of_gaps(self, rows, gaps, relevance):
        size = rows[:, : self._sizes]
        shape = np.tensordot(relevance[SHAPE], gaps[SHAPE], 1)
        return np.stack(
            [size @ size.T / self._sizes, np.exp(-shape), np.exp(-np.tensordot(relevance, gaps, 1))]
        )

    def diagonal(self, a):
        ones = np.ones(len(a))
        return np.stack([(a[:, : self._sizes] ** 2).mean(1), ones, ones])

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, self._sizes :] * np.sqrt(self._relevance[self._groups])


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances between rows, `(n, m)`."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.maximum(squares, 0, out=squares)
