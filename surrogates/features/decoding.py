"""From an architecture one would like to the nearest that may be proposed."""

from collections.abc import Callable

import numpy as np

from search_spaces import Architecture
from surrogates.candidates import Candidates
from surrogates.features.categories import Categories

DRAWN = 200  # candidates for the nearest, in spaces too big to list


class Decoder:
    """Finds, for an architecture one would like, the nearest that may be proposed.

    Args:
        space: Where proposals come from.
        allowed: Says whether exact constraints permit an architecture.
        categories: The choices by which nearness counts.
    """

    def __init__(self, space, allowed: Callable[[Architecture], bool], categories: Categories):
        self._space, self._allowed, self._categories = space, allowed, categories
        self._candidates = Candidates(space, allowed)

    def nearest(
        self, wanted: Architecture, rng: np.random.Generator, seen: set[str]
    ) -> Architecture | None:
        """Return `wanted` if it may be proposed, else an unseen one with fewest other choices.

        In a space too big to list, the neighbours of `wanted` are looked at, or, if none of them
        may be proposed, 200 drawn ones. None if nothing is left.
        """
        if wanted.hash not in seen and wanted in self._space and self._allowed(wanted):
            return wanted
        if self._candidates.listable:
            pool = [a for a in self._candidates.every() if a.hash not in seen]
        else:
            pool = self._candidates.near([wanted], rng, seen, each=DRAWN)
            pool = pool or self._candidates.draw(DRAWN, rng, seen)
        if not pool:
            return None
        differing = self._categories.differing(wanted, pool)
        return pool[rng.choice(np.flatnonzero(differing == differing.min()))]
