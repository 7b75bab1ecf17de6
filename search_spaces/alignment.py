"""Edit distance between sequences, for many pairs at once.

Sequences are aligned in order: every item is matched with one of the other sequence, removed or
inserted. The dynamic programme is the classical one (Needleman and Wunsch, 1970), with the second
state of Gotoh (1982) where a match costs more after a gap. One step handles all sequences of one
length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# for each length: which sequences have it, and their items, (length, sequences)
Grouped = list[tuple[np.ndarray, np.ndarray]]


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
        progress: Called with the number of rows done.

    Returns:
        `(first, second)`.
    """
    result = np.zeros((len(first), sum(len(rows) for rows, _ in second)), costs.match.dtype)
    for row, sequence in enumerate(first):
        for columns, codes in second:
            start = np.searchsorted(columns, row + 1) if symmetric else 0
            if start < len(columns):
                values = _align(np.asarray(sequence, int), codes[:, start:], costs)
                result[row, columns[start:]] = values
        if progress:
            progress(row + 1)
    if symmetric:
        _mirror(result)
    return result


def by_length(sequences: Sequence[Sequence[int]]) -> Grouped:
    """Return, for each length, which sequences have it and their items, `(length, sequences)`."""
    lengths = np.array([len(sequence) for sequence in sequences], int)
    groups = []
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        codes = np.array([sequences[row] for row in rows], int).reshape(len(rows), length)
        groups.append((rows, np.ascontiguousarray(codes.T)))
    return groups


def _mirror(matrix: np.ndarray) -> None:
    # in blocks, because a sum with the transposed would need the memory twice
    for start in range(0, len(matrix), 1024):
        stop = start + 1024
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
        square = matrix[start:stop, start:stop]
        square += square.T.copy()


def _align(sequence: np.ndarray, codes: np.ndarray, costs: StepCosts) -> np.ndarray:
    # codes: (length of the others, number of them); all vectors below run over the others
    if costs.reopen is not None:
        return _align_with_reopening(sequence, codes, costs)
    insert = costs.insert[codes]
    above = _cumulated(insert)
    for item in sequence:
        match, remove = costs.match[item], costs.remove[item]
        here = [above[0] + remove]
        for j, code in enumerate(codes):
            best = match[code]
            best += above[j]
            np.minimum(best, above[j + 1] + remove, out=best)
            np.minimum(best, here[j] + insert[j], out=best)
            here.append(best)
        above = here
    return above[-1]


def _align_with_reopening(sequence: np.ndarray, codes: np.ndarray, costs: StepCosts) -> np.ndarray:
    insert = costs.insert[codes]
    gaps = _cumulated(insert)
    never = np.full(codes.shape[1], np.inf, insert.dtype)
    # matched[j] ends with a match, gapped[j] does not; the start counts as a match
    matched = [gaps[0]] + [never] * len(codes)
    gapped = [never, *gaps[1:]]
    for item in sequence:
        match, remove, reopen = costs.match[item], costs.remove[item], costs.reopen[item]
        matched_here = [never]
        gapped_here = [np.minimum(matched[0], gapped[0]) + remove]
        for j, code in enumerate(codes):
            best = np.minimum(matched[j], gapped[j] + reopen[code])
            best += match[code]
            removed = np.minimum(matched[j + 1], gapped[j + 1]) + remove
            inserted = np.minimum(matched_here[j], gapped_here[j]) + insert[j]
            matched_here.append(best)
            gapped_here.append(np.minimum(removed, inserted))
        matched, gapped = matched_here, gapped_here
    return np.minimum(matched[-1], gapped[-1] + costs.end)


def _cumulated(insert: np.ndarray) -> list[np.ndarray]:
    total = np.zeros(insert.shape[1], insert.dtype)
    steps = [total]
    for row in insert:
        total = total + row
        steps.append(total)
    return steps
