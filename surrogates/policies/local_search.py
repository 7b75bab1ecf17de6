"""Local search: try the neighbours of the best until one is better, or start anew.

Source: White, Nolen, Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI
2021 (as "Local Search is State of the Art for NAS Benchmarks", 2020).
Differs on purpose: it moves as soon as a neighbour is better, which spends fewer trainings than
looking at all of them first.
"""

from dataclasses import dataclass

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.acquisition.ranking import best_first
from surrogates.acquisition.results import Results
from surrogates.candidates import Candidates
from surrogates.policy import Options, Policy

EVERY = 1 << 30  # more neighbours than anything has


@dataclass(frozen=True)
class LocalSearchOptions(Options):
    """Settings of local search.

    Attributes:
        initial: Architectures drawn at random before the first climb; warm-start results count.
    """

    initial: int = 5


class LocalSearch(Policy):
    """Climbs from the best result of the current climb; a random start when it is surrounded.

    Partial results are climbed from too, as `Record.lifted` makes of them.
    """

    Options = LocalSearchOptions

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        if not isinstance(self.options.initial, int) or self.options.initial < 1:
            raise PolicyError(
                f"The option initial is {self.options.initial!r}; give one proposal or more."
            )
        self._candidates = Candidates(space, self.allowed)

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        seen, proposals = self.seen(), []
        top = self._top()
        if top is not None and len(seen) >= self.options.initial:
            near = self._candidates.near([top], rng, seen, each=EVERY)
            proposals = [(a, {"reason": "optimise"}) for a in near[:n]]
            seen.update(a.hash for a, _ in proposals)
        for _ in range(n - len(proposals)):
            reason = "initial" if len(seen) < self.options.initial else "diversity"
            drawn = self._candidates.draw(1, rng, seen)
            if not drawn:
                break
            proposals.append((drawn[0], {"reason": reason}))
            seen.add(drawn[0].hash)
        return proposals

    def _top(self) -> Architecture | None:
        """Return the best result of the current climb that lies in the space, if there is one."""
        climb = self._climb()
        results = Results.of(self)
        for i in best_first(results):
            architecture = results.architectures[i]
            if architecture.hash in climb and architecture in self.space:
                return architecture if results.violations[i] < float("inf") else None
        return None

    def _climb(self) -> set[str]:
        """Return the hashes of everything mentioned since the last random start, that included.

        Random starts in a row, as a batch asks for them, belong to one climb, and so do those whose
        results are still missing.
        """
        trials = self.trials()
        starts = [i for i, t in enumerate(trials) if (t.why or {}).get("reason") == "diversity"]
        while starts and starts[-1] - 1 in starts:
            starts.pop()
        return {t.architecture.hash for t in trials[starts[-1] if starts else 0 :]}
