"""Largest model first: no learning at all, and on size-driven data hard to beat."""

from search_spaces import Architecture
from surrogates.candidates import Candidates
from surrogates.policy import Policy

DRAWN = 2000


class ParameterSorted(Policy):
    """Proposes the unseen architecture with the most parameters that keeps the constraints.

    In a space too big to list, the largest of 2,000 drawn architectures is taken. No result changes
    that, partial or full.
    """

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        self._candidates = Candidates(space, self.allowed)

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        drawn = self._candidates.draw(max(DRAWN, n), rng, self.seen())
        if self._candidates.listable:
            drawn = [a for a in self._candidates.every() if a.hash not in self.seen()]
        drawn.sort(key=lambda a: -self.exact("parameters", a))
        return [(architecture, {"reason": "optimise"}) for architecture in drawn[:n]]
