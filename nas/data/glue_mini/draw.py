"""Random choices that are the same on every machine and in every Python version."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Choices from one named stream; equal names give equal streams.

    Only `random.Random.random` is used underneath: it is the one method whose sequence Python
    promises to keep.

    Args:
        name: Text that names the stream, such as "0/cola/train".
    """

    def __init__(self, name: str):
        self._uniform = random.Random(name).random

    def chance(self, probability: float) -> bool:
        """Return True with `probability`."""
        return self._uniform() < probability

    def pick(self, items: Sequence[T]) -> T:
        """Return one of `items`."""
        return items[int(self._uniform() * len(items))]

    def weighted(self, weights: dict[T, float]) -> T:
        """Return one key, as likely as its weight."""
        mark = self._uniform() * sum(weights.values())
        for key, weight in weights.items():
            mark -= weight
            if mark < 0:
                return key
        return key

    def between(self, low: float, high: float) -> float:
        """Return a number drawn evenly from [low, high)."""
        return low + (high - low) * self._uniform()

    def sample(self, items: Sequence[T], n: int) -> list[T]:
        """Return `n` different ones of `items`."""
        rest = list(items)
        return [rest.pop(int(self._uniform() * len(rest))) for _ in range(n)]
