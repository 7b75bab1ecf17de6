"""Arrow's arrays as NumPy's and back, without pandas.

`to_numpy`, `pyarrow.array` and every scalar load pandas to see whether it is needed: 35 MB and a
third of a second, as much as it takes to read half a million rows.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


def values_of(array: "pa.Array | pa.ChunkedArray") -> np.ndarray:
    """Return numbers, or true and false, `(n,)`; in place of missing ones NaN, 0 or false."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.ChunkedArray):
        parts = [values_of(part) for part in array.chunks if len(part)]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, array.type.to_pandas_dtype())
    if not len(array):
        return np.zeros(0, array.type.to_pandas_dtype())
    if pa.types.is_boolean(array.type):
        return values_of(array.cast(pa.uint8())).view(bool)
    if not array.null_count:
        return np.from_dlpack(array)
    kind = np.dtype(array.type.to_pandas_dtype())
    found = np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)].copy()
    found[values_of(pc.is_null(array))] = np.nan if kind.kind == "f" else 0
    return found


def rows_array(rows: np.ndarray) -> "pa.Array":
    """Return numbers of rows, `(n,)`, as Arrow has them."""
    import pyarrow as pa

    rows = np.ascontiguousarray(rows, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)])
