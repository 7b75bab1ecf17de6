"""The inner loops of `alignment`, compiled on first use and kept on disk."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numba import njit

TILE = 512  # sequences aligned at a time, so that the states of all stay in the fast cache


def compiled(function: Callable) -> Callable:
    """Compile a function of arrays and numbers, none of them NaN; other threads run meanwhile."""
    options = {"nogil": True, "fastmath": {"nnan", "nsz"}}
    try:
        made = njit(cache=True, **options)(function)
    except RuntimeError:
        # no folder to keep compiled code in, as in a read-only installation without a home
        return njit(**options)(function)
    if hasattr(made, "_cache"):
        made._cache = _Kept(made._cache)
    return made


class _Kept:
    """Numba's files of one function, where what they cannot give or take is compiled again.

    A file cut short, as a power cut or a full disk leaves it, would be an error at every call.
    """

    def __init__(self, files: Any):
        self._files = files

    def load_overload(self, *what: Any) -> Any:
        try:
            return self._files.load_overload(*what)
        except Exception:  # noqa: BLE001  a parser of damaged files raises whatever it meets
            with suppress(Exception):
                self._files.flush()
            return None

    def save_overload(self, *what: Any) -> None:
        with suppress(Exception):
            self._files.save_overload(*what)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


@compiled
def _step(codes, gaps, cost, gone, before, above, left, here):
    # a loop of its own for the look-up, because only then the other one is vectorised
    for k in range(len(codes)):
        here[k] = cost[codes[k]]
    for k in range(len(codes)):
        best = before[k] + here[k]
        removed = above[k] + gone
        inserted = left[k] + gaps[k]
        best = removed if removed < best else best
        here[k] = inserted if inserted < best else best


@compiled
def align_rows(items, offsets, begin, codes, gaps, columns, match, remove, out):
    """Align each of some sequences with all sequences of one length.

    Args:
        items: The first sequences one after the other, `(items of all,)`.
        offsets: Where each starts, and the end, `(rows + 1,)`.
        begin: The first of the others to align each with, `(rows,)`.
        codes: Items of the others, `(length, others)`.
        gaps: What inserting these costs, same shape.
        columns: Where in `out` each of the others is, `(others,)`.
        match: Matching two items, `(items, items)`.
        remove: Removing an item, `(items,)`.
        out: Receives the costs, `(rows, all others)`.
    """
    length, others = codes.shape
    states = np.zeros((2, length + 1, TILE), match.dtype)
    for row in range(len(begin)):
        for start in range(begin[row], others, TILE):
            stop = min(start + TILE, others)
            tile, now = stop - start, 0
            states[0, 0] = 0
            for j in range(length):
                states[0, j + 1, :tile] = states[0, j, :tile] + gaps[j, start:stop]
            for item in items[offsets[row] : offsets[row + 1]]:
                above, here, gone = states[now], states[1 - now], remove[item]
                here[0] = above[0] + gone
                for j in range(length):
                    _step(codes[j, start:stop], gaps[j, start:stop], match[item], gone,
                          above[j], above[j + 1], here[j], here[j + 1])  # fmt: skip
                now = 1 - now
            for k in range(tile):
                out[row, columns[start + k]] = states[now, length, k]


@compiled
def _step_reopening(codes, gaps, cost, again, gone, before, above, left, here):
    # each state: costs where the last step is a match, costs where it is none
    for k in range(len(codes)):
        here[0, k] = cost[codes[k]]
        here[1, k] = again[codes[k]]
    for k in range(len(codes)):
        here[0, k] += min(before[0, k], before[1, k] + here[1, k])
        removed = min(above[0, k], above[1, k]) + gone
        inserted = min(left[0, k], left[1, k]) + gaps[k]
        here[1, k] = min(removed, inserted)


@compiled
def align_rows_reopening(
    items, offsets, begin, codes, gaps, columns, match, remove, reopen, end, out
):
    """As `align_rows`, where a match costs `reopen` more after a gap, and a gap `end` at the end.

    Args:
        items: As `align_rows`, and likewise the arguments not described here.
        offsets: See there.
        begin: See there.
        codes: See there.
        gaps: See there.
        columns: See there.
        match: See there.
        remove: See there.
        reopen: Added to `match` after a gap, same shape.
        end: Added where the last step is a gap.
        out: Receives the costs.
    """
    length, others = codes.shape
    states = np.zeros((2, length + 1, 2, TILE), match.dtype)
    for row in range(len(begin)):
        for start in range(begin[row], others, TILE):
            stop = min(start + TILE, others)
            tile, now = stop - start, 0
            # the start counts as a match
            states[0, :, 0], states[0, 0, 0], states[0, 0, 1] = np.inf, 0, np.inf
            for j in range(length):
                first = states[0, j, min(j, 1), :tile]
                states[0, j + 1, 1, :tile] = first + gaps[j, start:stop]
            for item in items[offsets[row] : offsets[row + 1]]:
                above, here, gone = states[now], states[1 - now], remove[item]
                here[0, 0] = np.inf
                here[0, 1] = np.minimum(above[0, 0], above[0, 1]) + gone
                for j in range(length):
                    _step_reopening(codes[j, start:stop], gaps[j, start:stop], match[item],
                                    reopen[item], gone,
                                    above[j], above[j + 1], here[j], here[j + 1])  # fmt: skip
                now = 1 - now
            for k in range(tile):
                last = min(states[now, length, 0, k], states[now, length, 1, k] + end)
                out[row, columns[start + k]] = last


@compiled
def align_pair(first, second, costs):
    """Return the least cost of aligning two sequences of items.

    Args:
        first: One sequence.
        second: The other.
        costs: One array, because every argument of a call costs time: `[0]` is `match` with
            `remove` as the last column and `insert` as the last row, `[1]` is `reopen` with `end`
            in the last corner; `(2, items + 1, items + 1)`.
    """
    match, reopen, length = costs[0], costs[1], len(second)
    states = np.full((2, 2, length + 1), np.inf)
    matched, gapped = states[0], states[1]
    matched[0, 0] = 0.0
    for j in range(length):
        gapped[0, j + 1] = min(matched[0, j], gapped[0, j]) + match[-1, second[j]]
    now = 0
    for item in first:
        last, here, gone = now, 1 - now, match[item, -1]
        matched[here, 0] = np.inf
        gapped[here, 0] = min(matched[last, 0], gapped[last, 0]) + gone
        for j in range(length):
            code = second[j]
            before = min(matched[last, j], gapped[last, j] + reopen[item, code])
            matched[here, j + 1] = before + match[item, code]
            removed = min(matched[last, j + 1], gapped[last, j + 1]) + gone
            inserted = min(matched[here, j], gapped[here, j]) + match[-1, code]
            gapped[here, j + 1] = min(removed, inserted)
        now = here
    return min(matched[now, length], gapped[now, length] + reopen[-1, -1])
