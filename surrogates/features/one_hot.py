"""One-hot rows that grow a column for every value they meet, and keep what they encoded."""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture
from search_spaces.architectures.facts import Columns
from search_spaces.architectures.features import one_hot_names


class OneHotRows:
    """The rows of `search_spaces.encode_one_hot`, remembered by architecture.

    Columns are in the order of first appearance, so they mean something only within one instance;
    later rows may be wider than earlier ones.

    Args:
        varying: What varies in slots and recipe of the space; None for nothing.

    Attributes:
        columns: Name to number of every column so far.
    """

    def __init__(self, varying: Columns | None = None):
        self._varying = varying
        self.columns: dict[str, int] = {}
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return zeros and ones, `(n, columns so far)`."""
        ones = [self._ones(a) for a in architectures]
        rows = np.zeros((len(architectures), len(self.columns)))
        for row, columns in zip(rows, ones, strict=True):
            row[columns] = 1.0
        return rows

    def _ones(self, architecture: Architecture) -> np.ndarray:
        if architecture.hash not in self._known:
            names = one_hot_names(architecture, self._varying)
            columns = [self.columns.setdefault(name, len(self.columns)) for name in names]
            self._known[architecture.hash] = np.array(columns)
        return self._known[architecture.hash]


class ToldColumns:
    """The columns that the told architectures use: all that a fit can learn from.

    They are sorted by name, so that a fit does not depend on what else was encoded before.

    Args:
        rows: Encodes any architecture.
        told: What a model is fitted on.
    """

    def __init__(self, rows: OneHotRows, told: Sequence[Architecture]):
        self._rows = rows
        used = rows(told).any(axis=0)
        self._used = [number for _, number in sorted(rows.columns.items()) if used[number]]

    def __call__(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return zeros and ones, `(n, columns used by what was told)`."""
        return self._rows(architectures)[:, self._used]
