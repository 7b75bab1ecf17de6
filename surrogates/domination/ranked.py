"""Fronts one behind the other, kept while rows arrive one at a time.

Ranking all rows again after each result takes as many passes as there are fronts; a new row changes
few of them.

Source: Li, Deb, Zhang, Zhang, "Efficient Nondomination Level Update Method for Steady-State
Evolutionary Multiobjective Optimization", IEEE Transactions on Cybernetics 2017.
"""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class Fronts:
    """Rows by front: no row of a front is dominated by another of the same or of a later front."""

    def __init__(self):
        self._names: list[list[Hashable]] = []
        self._rows: list[np.ndarray] = []

    def add(self, name: Hashable, row: Sequence[float]) -> None:
        """Enter a row, larger is better, under a name that no other has."""
        import numpy as np

        values = np.asarray([row], dtype=float)
        assert not np.isnan(values).any(), "what was not measured has no front"
        names, place = [name], self._place(values[0])
        # Whom the arrivals dominate moves one front on, and may dominate others there.
        while names:
            if place == len(self._names):
                self._names.append(names)
                self._rows.append(values)
                return
            there, rows = self._names[place], self._rows[place]
            moves = np.zeros(len(there), dtype=bool)
            for value in values:
                moves |= (rows <= value).all(axis=1) & (rows < value).any(axis=1)
            self._names[place] = [n for n, m in zip(there, moves, strict=True) if not m] + names
            self._rows[place] = np.concatenate([rows[~moves], values])
            names = [n for n, m in zip(there, moves, strict=True) if m]
            values, place = rows[moves], place + 1

    def _place(self, value: "np.ndarray") -> int:
        """Return the first front in which nothing dominates `value`.

        What is dominated from a front is dominated from every one before, so that halving finds it.
        """
        low, high = 0, len(self._rows)
        while low < high:
            middle = (low + high) // 2
            rows = self._rows[middle]
            if ((rows >= value).all(axis=1) & (rows > value).any(axis=1)).any():
                low = middle + 1
            else:
                high = middle
        return low

    def numbers(self) -> dict[Hashable, int]:
        """Return the front of each name, 0 where no other row dominates it."""
        return {name: front for front, names in enumerate(self._names) for name in names}
