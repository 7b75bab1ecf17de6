"""Uniform random search without repeats: the baseline every policy has to beat."""

from search_spaces import Architecture
from surrogates.candidates import Candidates
from surrogates.policy import Policy


class RandomSearch(Policy):
    """Draws uniformly among the unseen architectures that keep the exact constraints.

    No result changes what it draws, partial or full.
    """

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        self._candidates = Candidates(space, self.allowed)

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        drawn = self._candidates.draw(n, rng, self.seen())
        return [(architecture, {"reason": "diversity"}) for architecture in drawn]
