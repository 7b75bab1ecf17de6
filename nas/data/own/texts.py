"""Texts that stay in their Arrow column until they are read."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.arrays import rows_array, values_of

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
        import pyarrow.compute as pc

        mine = self._taken(self._rows)
        wanted = pc.unique(mine).cast(other._column.type)
        there = np.concatenate(
            [values_of(pc.is_in(part, value_set=wanted)) for part in other._column.chunks]
        )
        rows = np.flatnonzero(there) if other._rows is None else other._rows[there[other._rows]]
        found = pc.unique(other._taken(rows)).cast(mine.type)
        return values_of(pc.is_in(mine, value_set=found))

    def _taken(self, rows: np.ndarray | None) -> "pa.ChunkedArray":
        """Return the column's texts at `rows`, in that order; part by part, without a copy."""
        import pyarrow as pa

        if rows is None:
            return self._column
        ends = np.cumsum([len(part) for part in self._column.chunks])
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], ends)
        parts, first = [], 0
        for part, end, last in zip(self._column.chunks, ends, bounds, strict=True):
            parts.append(part.take(rows_array(rows[order[first:last]] - (end - len(part)))))
            first = last
        found = pa.chunked_array(parts, type=self._column.type)
        rising = len(rows) < 2 or bool((np.diff(order) > 0).all())
        return found if rising else found.take(rows_array(np.argsort(order, kind="stable")))

    def take(self, rows: np.ndarray) -> "Texts":
        """Return the texts at `rows`, `(n,)`."""
        return Texts([self._column], rows if self._rows is None else self._rows[rows])
