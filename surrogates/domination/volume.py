"""The volume that the rows of an array dominate.

Source: Zitzler and Thiele, "Multiobjective evolutionary algorithms: a comparative case study and
the strength Pareto approach", IEEE Transactions on Evolutionary Computation, 1999.
"""

from bisect import bisect_left

import numpy as np

from surrogates.domination.fronts import non_dominated


def volume_above(values: np.ndarray, corner: np.ndarray) -> float:
    """Return the volume between `corner` and the rows of `values`, all larger better."""
    if not len(values):
        return 0.0
    front = np.unique(np.maximum(values[non_dominated(values)] - corner, 0.0), axis=0)
    return _volume(front)


def _volume(front: np.ndarray) -> float:
    """Return the volume between the origin and `front`, `(rows, objectives)`, by slicing."""
    if front.shape[1] == 1:
        return float(front.max())
    front = front[np.argsort(front[:, 0], kind="stable")]
    thickness = np.diff(front[:, 0], prepend=0.0)
    if front.shape[1] == 2:
        # The slice that begins left of a row is as high as the highest row to its right.
        height = np.maximum.accumulate(front[::-1, 1])[::-1]
        return float(thickness @ height)
    if front.shape[1] == 3:
        return _volume_of_triples(front)
    total = 0.0
    for row in np.flatnonzero(thickness > 0):
        rest = front[row:, 1:]
        total += thickness[row] * _volume(rest[non_dominated(rest)])
    return total


def _volume_of_triples(front: np.ndarray) -> float:
    """Return the volume of `front`, sorted by its first column, in O(rows log rows).

    From the largest first value down, the area that the other two dominate only grows; its outline
    is a staircase of `wide` ascending and `high` descending.
    """
    wide: list[float] = []
    high: list[float] = []
    total, area = 0.0, 0.0
    rows = front.tolist()
    for (first, second, third), lower in zip(rows[::-1], [*rows[-2::-1], [0.0]], strict=True):
        step = bisect_left(wide, second)
        if step == len(wide) or high[step] < third:
            left, outside = step, high[step] if step < len(wide) else 0.0
            while left and high[left - 1] <= third:
                left -= 1
            edges = [wide[left - 1] if left else 0.0, *wide[left:step], second]
            heights = [*high[left:step], outside]
            area += sum(
                (b - a) * (third - h) for a, b, h in zip(edges, edges[1:], heights, strict=False)
            )
            stop = step + (step < len(wide) and wide[step] == second)
            wide[left:stop], high[left:stop] = [second], [third]
        total += (first - lower[0]) * area
    return total
