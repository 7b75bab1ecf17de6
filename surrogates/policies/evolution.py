"""Regularised evolution: the best of a few is mutated, and the oldest dies.

Source: Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture
Search", AAAI 2019; of the warm start ("warm-evolution"), Abdelfattah, Mehrotra, Dudziak, Lane,
"Zero-Cost Proxies for Lightweight NAS", ICLR 2021.
Differs on purpose: a mutant that was trained before is mutated further instead of trained again;
with several objectives the tournament is won by front and crowding; the proxy of a warm start is
the number of parameters, which costs no gradient, and each first proposal is the best of a draw of
its own instead of all of them the best of one large draw, so that they differ in size.
"""

from dataclasses import dataclass

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.acquisition.ranking import best_first
from surrogates.acquisition.results import Results
from surrogates.policies.offspring import Offspring
from surrogates.policy import Options, Policy

WARM = 5  # as many as compete in a tournament


@dataclass(frozen=True)
class EvolutionOptions(Options):
    """Settings of regularised evolution.

    Attributes:
        population: How many of the newest results are alive; as many are drawn at random first.
        tournament: How many of them compete to be mutated.
        drawn: Of how many architectures drawn at random a first proposal is the one with the most
            parameters; 1 starts without regard to size.
    """

    population: int = 20
    tournament: int = 5
    drawn: int = 1


def warm_evolution(name, space, objectives, seed, constraints, options) -> "Evolution":
    """Build the policy registered as "warm-evolution", which starts from large architectures.

    Partial results take part, as `Record.lifted` makes of them.
    """
    chosen = {"drawn": WARM, **options}
    return Evolution(name, space, objectives, seed, constraints, chosen)


class Evolution(Policy):
    """Mutates the winner of a tournament among the newest results, failures among them.

    Partial results take part, as `Record.lifted` makes of them.
    """

    Options = EvolutionOptions

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        for option in ("population", "tournament", "drawn"):
            value = getattr(self.options, option)
            if not isinstance(value, int) or value < 1:
                raise PolicyError(f"The option {option} is {value!r}; give a number of 1 or more.")
        self._offspring = Offspring(space, self.allowed)

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        seen, proposals = self.seen(), []
        alive = self.alive()
        for _ in range(n):
            child, reason = None, "initial"
            if alive and len(seen) >= self.options.population:
                size = min(self.options.tournament, len(alive))
                winner = min(rng.choice(len(alive), size, replace=False))
                child, reason = self._offspring.mutate(alive[winner], rng, seen), "optimise"
            if child is None:
                child = self._large(rng, seen)
                reason = "initial" if reason == "initial" else "diversity"
            if child is None:
                break
            proposals.append((child, {"reason": reason}))
            seen.add(child.hash)
        return proposals

    def _large(self, rng, seen) -> Architecture | None:
        """Return the largest of as many unseen architectures as the options say; None if none."""
        found = [self._offspring.draw(rng, seen) for _ in range(self.options.drawn)]
        unseen = [architecture for architecture in found if architecture is not None]
        return max(unseen, key=lambda a: self.exact("parameters", a), default=None)

    def alive(self) -> list[Architecture]:
        """Return the newest results of the space, as many as the population holds, best first.

        Age counts from when a result was told, so that a slow training does not die at birth.
        """
        newest: set[str] = set()
        for event in reversed(self._record.events):
            if len(newest) == self.options.population:
                break
            if "tell" in event:
                newest.add(Architecture.from_dict(event["tell"]).hash)
        results = Results.of(self)
        ranked = [results.architectures[i] for i in best_first(results)]
        return [a for a in ranked if a.hash in newest and a in self.space]
