"""Texts that stay in their Arrow column until they are read."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


class Texts(Sequence[str]):
    """The texts of one or more columns, row by row.

    Args:
        columns: Of strings without missing values; those of several are joined by a line feed.
    """

    def __init__(self, columns: Sequence["pa.ChunkedArray"]):
        import pyarrow.compute as pc

        self._column = (
            columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, "\n")
        )

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, place):  # noqa: ANN001, ANN204  as a sequence has it
        if isinstance(place, slice):
            return self._column[place].to_pylist()
        return self._column[int(place)].as_py()

    def __iter__(self) -> Iterator[str]:
        for chunk in self._column.chunks:
            yield from chunk.to_pylist()

    def take(self, rows: np.ndarray) -> "Texts":
        """Return the texts at `rows`, `(n,)`."""
        import pyarrow as pa

        return Texts([pa.chunked_array([self._column.take(pa.array(rows)).combine_chunks()])])
