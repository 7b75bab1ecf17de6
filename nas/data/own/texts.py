"""Texts that stay in their Arrow column until they are read."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 10_000  # rows that are made Python texts together


class Texts(Sequence[str]):
    """The texts of one or more columns, row by row.

    Args:
        columns: Of strings without missing values; those of several are joined by a line feed.
        rows: Which of them, `(n,)`; None for all. The column is not copied.
    """

    def __init__(self, columns: Sequence["pa.ChunkedArray"], rows: np.ndarray | None = None):
        import pyarrow.compute as pc

        self._rows = rows
        self._column = (
            columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, "\n")
        )

    def __len__(self) -> int:
        return len(self._column) if self._rows is None else len(self._rows)

    def __getitem__(self, place):  # noqa: ANN001, ANN204  as a sequence has it
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        row = int(place if self._rows is None else self._rows[place])
        return self._column[row].as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            if self._rows is None:
                yield from self._column.slice(start, _AT_ONCE).to_pylist()
            else:
                yield from self._at(self._rows[start : start + _AT_ONCE])

    def _at(self, rows: np.ndarray) -> list[str]:
        """Return the texts at places of the column; near ones are read together."""
        first, last = int(rows.min()), int(rows.max())
        if last - first > 20 * len(rows):
            return [self._column[int(row)].as_py() for row in rows]
        near = self._column.slice(first, last - first + 1).to_pylist()
        return [near[row] for row in (rows - first).tolist()]

    def found_in(self, other: "Texts") -> np.ndarray:
        """Return which of these texts stand in another, `(n,)` bool.

        Only these are hashed, so that a few are looked for in millions without a copy of those.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        mine = self._column if self._rows is None else self._column.take(pa.array(self._rows))
        wanted = pc.unique(mine)
        there = pc.is_in(other._column, value_set=wanted.cast(other._column.type)).to_numpy()
        rows = np.flatnonzero(there) if other._rows is None else other._rows[there[other._rows]]
        found = pc.unique(other._column.take(pa.array(rows))).cast(mine.type)
        return pc.is_in(mine, value_set=found).to_numpy()

    def take(self, rows: np.ndarray) -> "Texts":
        """Return the texts at `rows`, `(n,)`."""
        return Texts([self._column], rows if self._rows is None else self._rows[rows])
