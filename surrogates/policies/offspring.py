"""New architectures out of known ones: unseen, allowed mutants and children."""

from collections.abc import Callable

import numpy as np

from search_spaces import Architecture
from search_spaces.errors import InvalidSpace
from surrogates.candidates import Candidates

STEPS = 20  # of a walk through known architectures before it gives up


class Offspring:
    """Makes architectures that may be proposed from ones that were told.

    Args:
        space: Where they come from.
        allowed: Says whether exact constraints permit an architecture.
    """

    def __init__(self, space, allowed: Callable[[Architecture], bool]):
        self._space, self._allowed = space, allowed
        self._candidates = Candidates(space, allowed)

    def mutate(
        self, parent: Architecture, rng: np.random.Generator, seen: set[str]
    ) -> Architecture | None:
        """Return an unseen architecture near `parent`, or None if a short walk finds none.

        A mutant that is known already is mutated further, as evolution would, had it been trained
        again; one that breaks a constraint is dropped.
        """
        here = parent
        for _ in range(STEPS):
            if here not in self._space:
                return None
            try:
                mutant = self._space.mutate(here, rng)
            except InvalidSpace:  # it has no neighbours
                return None
            if self._allowed(mutant):
                if mutant.hash not in seen:
                    return mutant
                here = mutant
        return None

    def cross(
        self, a: Architecture, b: Architecture, rng: np.random.Generator, seen: set[str]
    ) -> Architecture | None:
        """Return an unseen child of two architectures, or a mutant of a known child, or None."""
        if a not in self._space or b not in self._space or a == b:
            return self.mutate(a, rng, seen)
        child = self._space.crossover(a, b, rng)
        if child.hash not in seen and self._allowed(child):
            return child
        return self.mutate(child, rng, seen)

    def draw(self, rng: np.random.Generator, seen: set[str]) -> Architecture | None:
        """Return an unseen architecture, uniform over the space, or None if none is left."""
        drawn = self._candidates.draw(1, rng, seen)
        return drawn[0] if drawn else None
