"""Edit distance between sequences, for many pairs at once.

Sequences are aligned in order: every item is matched with one of the other sequence, removed or
inserted. The dynamic programme is the classical one (Needleman and Wunsch, 1970), with the second
state of Gotoh (1982) where a match costs more after a gap. Its compiled loops are in
`search_spaces.distances.alignment_kernels`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# for each length: which sequences have it, and their items, (length, sequences)
Grouped = list[tuple[np.ndarray, np.ndarray]]

ROWS = 64  # sequences between two calls of `progress`


@dataclass(frozen=True)
class StepCosts:
    """What the steps of an alignment cost, by item number.

    Attributes:
        match: Matching item i of the first kind with item j of the second, `(items, items)`.
        remove: Removing an item of the first kind, `(items,)`.
        insert: Inserting an item of the second kind, `(items,)`.
        reopen: Added to `match` where the step before was no match, same shape; None for nothing.
        end: Added where the last step is no match.
    """

    match: np.ndarray
    remove: np.ndarray
    insert: np.ndarray
    reopen: np.ndarray | None = None
    end: float = 0.0

    def swapped(self) -> "StepCosts":
        """Return the costs of aligning the second with the first."""
        reopen = None if self.reopen is None else np.ascontiguousarray(self.reopen.T)
        match = np.ascontiguousarray(self.match.T)
        return StepCosts(match, self.insert, self.remove, reopen, self.end)


def align_all(
    first: Sequence[Sequence[int]],
    second: Grouped,
    costs: StepCosts,
    *,
    symmetric: bool = False,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return the least cost of aligning every sequence with every other.

    Args:
        first: Sequences of item numbers.
        second: Sequences of item numbers, by length.
        costs: What the steps cost; their type is computed in and returned.
        symmetric: `first` is `second` and the costs are symmetric: compute each pair once.
        progress: Called now and then with the number of rows done.

    Returns:
        `(first, second)`.
    """
    result = np.zeros((len(first), sum(len(rows) for rows, _ in second)), costs.match.dtype)
    gaps = [costs.insert[codes] for _, codes in second]
    for start in range(0, len(first), ROWS):
        rows = np.arange(start, min(start + ROWS, len(first)))
        items = np.concatenate([np.asarray(first[row], np.int32) for row in rows])
        offsets = np.cumsum([0, *(len(first[row]) for row in rows)])
        block = result[rows[0] : rows[-1] + 1]
        for (columns, codes), inserted in zip(second, gaps, strict=True):
            begin = np.searchsorted(columns, rows + 1) if symmetric else np.zeros_like(rows)
            _align(items, offsets, begin, codes, inserted, columns, costs, block)
        if progress:
            progress(int(rows[-1]) + 1)
    if symmetric:
        _mirror(result)
    return result


def by_length(sequences: Sequence[Sequence[int]]) -> Grouped:
    """Return, for each length, which sequences have it and their items, `(length, sequences)`."""
    lengths = np.array([len(sequence) for sequence in sequences], int)
    groups = []
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        codes = np.array([sequences[row] for row in rows], np.uint32).reshape(len(rows), length)
        groups.append((rows, np.ascontiguousarray(codes.T)))
    return groups


def _mirror(matrix: np.ndarray) -> None:
    # in blocks, because a sum with the transposed would need the memory twice
    for start in range(0, len(matrix), 1024):
        stop = start + 1024
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
        square = matrix[start:stop, start:stop]
        square += square.T.copy()


def _align(
    items: np.ndarray,
    offsets: np.ndarray,
    begin: np.ndarray,
    codes: np.ndarray,
    gaps: np.ndarray,
    columns: np.ndarray,
    costs: StepCosts,
    out: np.ndarray,
) -> None:
    from search_spaces.distances.alignment_kernels import align_rows, align_rows_reopening

    given = (items, offsets, begin, codes, gaps, columns, costs.match, costs.remove)
    if costs.reopen is None:
        align_rows(*given, out)
    else:
        align_rows_reopening(*given, costs.reopen, out.dtype.type(costs.end), out)
