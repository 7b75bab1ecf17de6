"""qLogNEHVI: the candidate that promises most hypervolume, by BoTorch; qLogNEI for one objective.

Sources are given where it is computed, in `surrogates.acquisition.noisy_improvement`.
"""

from dataclasses import dataclass

import numpy as np

from search_spaces import Architecture
from search_spaces.architectures.facts import Columns
from search_spaces.errors import PolicyError
from surrogates.acquisition.ranking import best_first
from surrogates.acquisition.results import Results
from surrogates.candidates import Candidates
from surrogates.features.one_hot import OneHotRows, ToldColumns
from surrogates.policy import Options, Policy, Prediction

POOL = 1000  # candidates drawn from a space with more
PARENTS, NEIGHBOURS = 5, 40  # and neighbours of the best


@dataclass(frozen=True)
class QLogNEHVIOptions(Options):
    """Settings of qLogNEHVI.

    Attributes:
        initial: Architectures drawn at random before the models are asked; warm-start results
            count.
    """

    initial: int = 5


class QLogNEHVI(Policy):
    """A Gaussian process over one-hot rows for every objective that is not exact.

    Values are standardised. A failure counts as the worst value, in constrained metrics too;
    pending architectures are part of what may yet improve the front. Partial results count as
    what `Record.lifted` makes of them.
    """

    Options = QLogNEHVIOptions

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        if not isinstance(self.options.initial, int) or self.options.initial < 1:
            raise PolicyError(
                f"The option initial is {self.options.initial!r}; give one proposal or more."
            )
        self._candidates = Candidates(space, self.allowed)
        self._one_hot = OneHotRows(Columns.of(space))

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        seen = self.seen()
        if not self._record.done() or len(seen) < self.options.initial:
            drawn = self._candidates.draw(n, rng, seen)
            return [(a, {"reason": "initial"}) for a in drawn]
        results = Results.of(self)
        pool = self._pool(results, n, rng, seen)
        if not pool:
            return []
        improvement, rows = self._improvement(results, int(rng.integers(2**31)))
        chosen = improvement.choose(rows(pool), rows(self.pending()), min(n, len(pool)))
        return [(pool[i], {"reason": "optimise", "acquisition": gain}) for i, gain in chosen]

    def _pool(self, results: Results, n: int, rng, seen: set[str]) -> list[Architecture]:
        drawn = self._candidates.draw(max(POOL, n), rng, seen)
        best = [results.architectures[i] for i in best_first(results)[:PARENTS]]
        near = self._candidates.near(best, rng, seen, NEIGHBOURS)
        return list(dict.fromkeys(drawn + near))

    def _improvement(self, results: Results, seed: int):
        """Return the fitted acquisition, and what turns architectures into its rows."""
        import torch

        from surrogates.acquisition.noisy_improvement import NoisyImprovement

        columns = ToldColumns(self._one_hot, results.architectures)
        center, scale = _scales(results.values)

        def rows(architectures: list[Architecture]) -> "torch.Tensor":
            parts = [columns(architectures)]
            for j, objective in enumerate(self.objectives):
                if objective.exact:
                    exact = [self.exact(objective.name, a) for a in architectures]
                    exact = objective.sign * np.array(exact, float)
                    parts.append(((exact - center[j]) / scale[j])[:, None])
            return torch.as_tensor(np.concatenate(parts, axis=1))

        told, values = rows(results.architectures), (results.values - center) / scale
        exact, column = [], told.shape[1] - sum(o.exact for o in self.objectives)
        for j, objective in enumerate(self.objectives):
            exact.append(column if objective.exact else None)
            if objective.exact:
                values[:, j] = told[:, column].numpy()  # a failed trial has them too
                column += 1
        improvement = NoisyImprovement(
            told, torch.as_tensor(values), exact, torch.as_tensor(self._slacks()), seed
        )
        return improvement, rows

    def _slacks(self) -> np.ndarray:
        """Return by how much each told trial misses each measured constraint, scaled."""
        told = self.estimated()
        measured = [c for c in self.constraints if not c.exact]
        slacks = np.full((len(told), len(measured)), np.nan)
        for row, trial in zip(slacks, told, strict=True):
            if trial.values is not None:
                row[:] = [c.sign * (trial.values[c.metric] - c.bound) for c in measured]
        slacks = slacks / _scales(slacks)[1]
        worst = np.nanmax(slacks, axis=0) if measured else np.empty(0)
        return np.where(np.isnan(slacks), worst, slacks)

    def predict(self, architectures) -> dict[str, Prediction]:
        if not self._record.done():
            raise PolicyError(
                f"Policy {self.name!r} has been told no result yet, so it cannot predict."
            )
        from surrogates.models.botorch_gp import BotorchGP

        results, found = Results.of(self), {}
        center, scale = _scales(results.values)
        for j, objective in enumerate(self.objectives):
            if objective.exact:
                mean = np.array([self.exact(objective.name, a) for a in architectures])
                found[objective.name] = Prediction(mean, 0 * mean, 0 * mean)
                continue
            model = BotorchGP(lambda told: ToldColumns(self._one_hot, told))
            targets = (results.values[:, j] - center[j]) / scale[j]
            model.fit(results.architectures, targets, np.random.default_rng(self.seed))
            belief = model.believe(architectures)
            mean = objective.sign * (center[j] + scale[j] * belief.mean)
            found[objective.name] = Prediction(
                mean, scale[j] * belief.epistemic, scale[j] * belief.aleatoric
            )
        return found


def _scales(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every column, 1 where it does not vary."""
    spread = np.nanstd(values, axis=0)
    return np.nanmean(values, axis=0), np.where(spread > 0, spread, 1.0)
