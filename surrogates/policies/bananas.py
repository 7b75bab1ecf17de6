"""BANANAS: mutants of the best, chosen by Thompson sampling from an ensemble of networks.

Source: White, Neiswanger, Savani, "BANANAS: Bayesian Optimization with Neural Architectures for
Neural Architecture Search", AAAI 2021.
Differs on purpose: one-hot rows of an encoder's choices instead of paths through a cell; with
several objectives, the networks learn a scalarisation with weights drawn at each ask.
"""

from dataclasses import dataclass

import numpy as np

from search_spaces import Architecture
from search_spaces.architectures.facts import Columns
from search_spaces.errors import PolicyError
from surrogates.acquisition.ranking import best_first
from surrogates.acquisition.results import Results
from surrogates.acquisition.scalarise import chebyshev, random_weights
from surrogates.features.one_hot import OneHotRows
from surrogates.models.warping import RankWarp
from surrogates.policies.offspring import Offspring
from surrogates.policy import Options, Policy, Prediction


@dataclass(frozen=True)
class BananasOptions(Options):
    """Settings of BANANAS.

    Attributes:
        initial: Architectures drawn at random before the networks are asked; warm-start results
            count.
        parents: How many of the best results are mutated.
        mutants: How many candidates are made from them for an ask.
    """

    initial: int = 5
    parents: int = 10
    mutants: int = 100


class Bananas(Policy):
    """Draws a value for each candidate from what the ensemble believes, and takes the largest.

    Every proposal of a batch has draws of its own, which keeps parallel proposals apart without
    assuming results of pending ones. Partial results are learned as if they were full; see
    `Record.lifted`.
    """

    Options = BananasOptions

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        for option in ("initial", "parents", "mutants"):
            value = getattr(self.options, option)
            if not isinstance(value, int) or value < 1:
                raise PolicyError(f"The option {option} is {value!r}; give a number of 1 or more.")
        self._offspring = Offspring(space, self.allowed)
        self._rows = OneHotRows(Columns.of(space))

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        seen, proposals = self.seen(), []
        results = Results.of(self)
        early = not len(results) or len(seen) < self.options.initial
        pool = [] if early else self._mutants(results, n, rng, seen)
        if pool:
            weights = random_weights(len(self.objectives), rng)
            belief = self._fit(chebyshev(results.scaled(), weights), rng).believe(pool)
        left = list(range(len(pool)))
        for _ in range(n):
            if left:
                draws = rng.normal(belief.mean[left], belief.epistemic[left])
                chosen, reason = pool[left.pop(int(np.argmax(draws)))], "optimise"
            else:
                chosen = self._offspring.draw(rng, seen)
                reason = "initial" if early else "diversity"
            if chosen is None:
                break
            proposals.append((chosen, {"reason": reason}))
            seen.add(chosen.hash)
        return proposals

    def _mutants(self, results: Results, n: int, rng, seen: set[str]) -> list[Architecture]:
        ranked = [results.architectures[i] for i in best_first(results)]
        parents = [a for a in ranked if a in self.space][: self.options.parents]
        found: dict[str, Architecture] = {}
        for i in range(max(self.options.mutants, n) if parents else 0):
            mutant = self._offspring.mutate(parents[i % len(parents)], rng, seen)
            if mutant is not None:
                found.setdefault(mutant.hash, mutant)
        return list(found.values())

    def _fit(self, values: np.ndarray, rng: np.random.Generator):
        from surrogates.models.mlp_ensemble import MlpEnsemble

        model = MlpEnsemble(self._rows)
        model.fit(Results.of(self).architectures, RankWarp(values).scores, rng)
        return model

    def predict(self, architectures) -> dict[str, Prediction]:
        if not self._record.done():
            raise PolicyError(
                f"Policy {self.name!r} has been told no result yet, so it cannot predict."
            )
        results, found = Results.of(self), {}
        for column, objective in zip(results.values.T, self.objectives, strict=True):
            if objective.exact:
                mean = np.array([self.exact(objective.name, a) for a in architectures])
                found[objective.name] = Prediction(mean, 0 * mean, 0 * mean)
                continue
            rng = np.random.default_rng([self.seed, self._record.asked])
            belief, warp = self._fit(column, rng).believe(architectures), RankWarp(column)
            spreads = [
                (warp.invert(belief.mean + spread) - warp.invert(belief.mean - spread)) / 2
                for spread in (belief.epistemic, belief.aleatoric)
            ]
            found[objective.name] = Prediction(objective.sign * warp.invert(belief.mean), *spreads)
        return found
