"""A front that is kept up to date one result at a time; without numpy, which is slow to load."""

from collections.abc import Sequence


class Front:
    """The rows that no other dominates, of those entered so far; equal rows are all kept.

    Attributes:
        rows: In the order in which they were entered.
    """

    def __init__(self):
        self.rows: list[tuple[float, ...]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, row: Sequence[float]) -> bool:
        """Enter the objectives of a result, larger is better; return whether the front grew.

        That is when the hypervolume grows, from whatever reference below; with one objective, when
        the best value does.
        """
        row = tuple(row)
        if any(_covers(old, row) for old in self.rows):
            if row in self.rows:
                self.rows.append(row)
            return False
        self.rows = [old for old in self.rows if not _covers(row, old)]
        self.rows.append(row)
        return True


def _covers(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether `one` is at least as good as `other` in every objective."""
    return all(a >= b for a, b in zip(one, other, strict=True))
