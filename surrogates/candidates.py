"""Which architectures a policy may propose now: unseen, allowed, and, in big spaces, drawn."""

from collections.abc import Callable, Iterable

import numpy as np

from search_spaces import Architecture, FiniteSpace

ENUMERATE = 20_000  # spaces up to this size are listed once and scored completely
LISTED = 2_000_000  # and those that are lists already, up to this size


class Candidates:
    """The unseen, allowed architectures of a space.

    Args:
        space: Needs `sample`, `neighbours` and `__contains__`; with a small `size` also `__iter__`.
        allowed: Says whether exact constraints permit an architecture.
    """

    def __init__(self, space, allowed: Callable[[Architecture], bool]):
        self._space, self._allowed = space, allowed
        self._all: list[Architecture] | None = None

    @property
    def listable(self) -> bool:
        """Whether the whole space is listed by `every`."""
        size = getattr(self._space, "size", None)
        limit = LISTED if isinstance(self._space, FiniteSpace) else ENUMERATE
        return size is not None and size <= limit

    def every(self) -> list[Architecture]:
        """Return all distinct allowed architectures of a listable space, in its own order."""
        if self._all is None:
            listed = isinstance(self._space, FiniteSpace)
            distinct = self._space if listed else dict.fromkeys(self._space)
            self._all = [a for a in distinct if self._allowed(a)]
        return self._all

    def draw(self, n: int, rng: np.random.Generator, seen: set[str]) -> list[Architecture]:
        """Draw up to `n` distinct unseen architectures uniformly; fewer if no more are found."""
        if self.listable:
            left = [a for a in self.every() if a.hash not in seen]
            return [left[i] for i in rng.permutation(len(left))[:n]]
        found: dict[str, Architecture] = {}
        # a tight constraint or an almost exhausted space makes most draws useless
        for _ in range(20):
            seed = int(rng.integers(2**31))
            # most often a few more than needed are enough; a longer draw begins with the same
            for tried in (n + n // 8, 2 * n):
                self._add(found, self._space.sample(max(tried, 16), seed=seed), seen)
                if len(found) >= n:
                    return list(found.values())[:n]
        return list(found.values())[:n]

    def near(
        self,
        architectures: Iterable[Architecture],
        rng: np.random.Generator,
        seen: set[str],
        each: int,
    ) -> list[Architecture]:
        """Return up to `each` unseen neighbours of each of `architectures`, drawn at random."""
        found: dict[str, Architecture] = {}
        for architecture in architectures:
            if architecture not in self._space:
                continue
            around = self._space.neighbours(architecture)
            picked = rng.permutation(len(around))[:each]
            self._add(found, [around[i] for i in picked], seen)
        return list(found.values())

    def _add(self, found: dict, architectures: Iterable[Architecture], seen: set[str]) -> None:
        for architecture in architectures:
            if architecture.hash not in seen and self._allowed(architecture):
                found.setdefault(architecture.hash, architecture)
