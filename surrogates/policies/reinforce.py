"""REINFORCE: a controller of the choices that make an architecture, taught by their rewards.

Source: Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017; the
update: Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement
Learning", Machine Learning 1992.
Differs on purpose: one row of logits for each choice instead of a recurrent network, which tens of
results would not train; results from elsewhere teach as if the controller had drawn them.
"""

from dataclasses import dataclass

import numpy as np

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.acquisition.results import Results
from surrogates.features.categories import Categories
from surrogates.features.decoding import Decoder
from surrogates.policy import Options, Policy


@dataclass(frozen=True)
class ReinforceOptions(Options):
    """Settings of REINFORCE.

    Attributes:
        rate: Step of the logits for a reward one standard deviation above the baseline.
        memory: Weight of the old baseline when a reward moves it, 0 to below 1.
    """

    rate: float = 0.3
    memory: float = 0.9


class Reinforce(Policy):
    """Draws every choice from a softmax whose logits rewards above the moving baseline raise.

    The logits are replayed from the record. The reward is the mean over the objectives of the
    value's place in the range told; failures and broken constraints have the worst. Partial results
    reward as `Record.lifted` makes of them.
    """

    Options = ReinforceOptions

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        if not self.options.rate > 0:
            raise PolicyError(f"The option rate is {self.options.rate!r}; give a positive number.")
        if not 0 <= self.options.memory < 1:
            raise PolicyError(
                f"The option memory is {self.options.memory!r}; give a number from 0 to below 1."
            )
        self._categories = Categories(space)
        self._decoder = Decoder(space, self.allowed, self._categories)

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        logits = self.logits()

        def pick(choice, options):
            odds = _softmax(logits.get(str(choice), np.zeros(len(options))))
            return options[rng.choice(len(options), p=odds)]

        reason = "optimise" if logits else "initial"
        seen, proposals = self.seen(), []
        for _ in range(n):
            chosen = self._decoder.nearest(self._categories.build(pick), rng, seen)
            if chosen is None:
                break
            proposals.append((chosen, {"reason": reason}))
            seen.add(chosen.hash)
        return proposals

    def logits(self) -> dict[str, np.ndarray]:
        """Return the logits of every choice that a result has taught, `(options,)` each."""
        results = Results.of(self)
        if not len(results):
            return {}
        rewards = results.scaled().mean(axis=1)
        rewards = (rewards - rewards.mean()) / (rewards.std() or 1.0)
        logits: dict[str, np.ndarray] = {}
        baseline = rewards[0]
        for architecture, reward in zip(results.architectures, rewards, strict=True):
            step = self.options.rate * (reward - baseline)
            for name, (number, count) in self._categories.encode(architecture).items():
                row = logits.setdefault(name, np.zeros(count))
                row -= step * _softmax(row)
                row[number] += step
            baseline += (1 - self.options.memory) * (reward - baseline)
        return logits


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()
