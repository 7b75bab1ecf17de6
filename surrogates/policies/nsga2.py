"""NSGA-II, one child at a time: elitist evolution by front and crowding.

Source: Deb, Pratap, Agarwal, Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
NSGA-II", IEEE Transactions on Evolutionary Computation 2002; one child at a time: Durillo, Nebro,
Luna, Alba, "On the Effect of the Steady-State Selection Scheme in Multi-Objective Genetic
Algorithms", EMO 2009.
Differs on purpose: the population is the best of everything told, so that it follows from the
record; children come from the space's own crossover and mutation.
"""

from dataclasses import dataclass

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.acquisition.ranking import best_first
from surrogates.acquisition.results import Results
from surrogates.policies.offspring import Offspring
from surrogates.policy import Options, Policy

CROSSOVER, MUTATION = 0.9, 0.5  # probabilities


@dataclass(frozen=True)
class NSGA2Options(Options):
    """Settings of NSGA-II.

    Attributes:
        population: How many of the best results may be parents.
        initial: Architectures drawn at random before; warm-start results count.
    """

    population: int = 20
    initial: int = 10


class NSGA2(Policy):
    """Crosses winners of binary tournaments among the best results, and mutates the children.

    Partial results take part, as `Record.lifted` makes of them.
    """

    Options = NSGA2Options

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        for option in ("population", "initial"):
            value = getattr(self.options, option)
            if not isinstance(value, int) or value < 1:
                raise PolicyError(f"The option {option} is {value!r}; give a number of 1 or more.")
        self._offspring = Offspring(space, self.allowed)

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        seen, proposals = self.seen(), []
        parents = self._parents()
        for _ in range(n):
            child, reason = None, "initial"
            if parents and len(seen) >= self.options.initial:
                child, reason = self._child(parents, rng, seen), "optimise"
            if child is None:
                child = self._offspring.draw(rng, seen)
                reason = "initial" if reason == "initial" else "diversity"
            if child is None:
                break
            proposals.append((child, {"reason": reason}))
            seen.add(child.hash)
        return proposals

    def _parents(self) -> list[Architecture]:
        results = Results.of(self)
        ranked = [
            results.architectures[i]
            for i in best_first(results)
            if results.violations[i] < float("inf")
        ]
        return [a for a in ranked if a in self.space][: self.options.population]

    def _child(self, parents, rng, seen) -> Architecture | None:
        # parents are sorted, so the winner of a tournament is the one that comes first
        first, second = (parents[rng.integers(len(parents), size=2).min()] for _ in range(2))
        if rng.random() >= CROSSOVER:
            return self._offspring.mutate(first, rng, seen)
        # mutating means passing through the child, whether it is known or not
        if rng.random() < MUTATION and first != second:
            return self._offspring.mutate(self.space.crossover(first, second, rng), rng, seen)
        return self._offspring.cross(first, second, rng, seen)
