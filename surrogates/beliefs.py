"""What models believe about every objective and constraint at once, and what is worth trying."""

from collections.abc import Callable, Sequence

import numpy as np

from search_spaces import Architecture
from surrogates.acquisition import expected_improvement, probability_below
from surrogates.model import Model
from surrogates.objectives import Constraint, Objective
from surrogates.record import Record
from surrogates.scalarise import chebyshev, random_weights
from surrogates.warping import RankWarp

DRAWS = 32  # of each belief, where an expectation has no closed form


class Fitted:
    """One model of one metric, fitted on warped values; larger is better inside.

    Args:
        metric: The key of the told values.
        sign: +1 when larger is better.
        model: Unfitted.
        record: Results to learn; a failure counts as the worst value told.
        rng: For the fit.
    """

    def __init__(
        self, metric: str, sign: int, model: Model, record: Record, rng: np.random.Generator
    ):
        self.sign, self.model = sign, model
        done, failed = record.done(), record.failed()
        values = [sign * t.values[metric] for t in done]
        values += [min(values)] * len(failed)
        self.warp = RankWarp(np.array(values))
        self.best = float(self.warp.scores.max())
        model.fit([t.architecture for t in done + failed], self.warp.scores, rng)

    def warped(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and epistemic standard deviation in warped units, each `(n,)`."""
        belief = self.model.believe(architectures)
        return belief.mean, belief.epistemic

    def in_units(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, ...]:
        """Return mean, epistemic and aleatoric deviation in the metric's units, each `(n,)`."""
        belief = self.model.believe(architectures)
        return (
            self.sign * self.warp.invert(belief.mean),
            self.warp.invert_spread(belief.mean, belief.epistemic),
            self.warp.invert_spread(belief.mean, belief.aleatoric),
        )


class Beliefs:
    """Fitted models of the metrics a policy cares about, and the acquisition over all of them.

    Args:
        record: At least one result with values.
        make_model: Builds the model of a metric, given its sign.
        exact: Computes "parameters" or "flops" of an architecture.
        rng: For the fits.
    """

    def __init__(
        self,
        record: Record,
        make_model: Callable[[int], Model],
        exact: Callable[[str, Architecture], float],
        rng: np.random.Generator,
    ):
        self._objectives, self._exact = record.objectives, exact
        self._constraints = [c for c in record.constraints if not c.exact]
        self._fitted: dict[str, Fitted] = {}
        for metric, sign in self._metrics(record.objectives, self._constraints):
            self._fitted[metric] = Fitted(metric, sign, make_model(sign), record, rng)
        self._done = [t.architecture for t in record.done()]
        self._told = np.array(
            [[self._value(o, t) for o in self._objectives] for t in record.done()]
        )

    @staticmethod
    def _metrics(
        objectives: Sequence[Objective], constraints: Sequence[Constraint]
    ) -> list[tuple[str, int]]:
        signs = {c.metric: -c.sign for c in constraints}
        signs |= {o.name: o.sign for o in objectives if not o.exact}
        return list(signs.items())

    def _value(self, objective: Objective, trial) -> float:
        if objective.exact:
            return objective.sign * self._exact(objective.name, trial.architecture)
        return objective.sign * trial.values[objective.name]

    def assume(self, pending: Sequence[Architecture]) -> None:
        """Assume that `pending` will return what the models expect (kriging believer)."""
        if pending:
            for fitted in self._fitted.values():
                fitted.model.assume(pending, fitted.warped(pending)[0])

    def acquisition(
        self, candidates: Sequence[Architecture], rng: np.random.Generator
    ) -> np.ndarray:
        """Return the expected improvement of each candidate, `(n,)`."""
        if len(self._objectives) == 1 and not self._objectives[0].exact:
            fitted = self._fitted[self._objectives[0].name]
            gain = expected_improvement(*fitted.warped(candidates), fitted.best)
        else:
            gain = self._scalarised_improvement(candidates, rng)
        for constraint in self._constraints:
            gain = gain * self._feasible(constraint, candidates)
        return gain

    def _scalarised_improvement(self, candidates, rng) -> np.ndarray:
        weights = random_weights(len(self._objectives), rng)
        low, high = self._told.min(0), self._told.max(0)
        scale = np.where(high > low, high - low, 1.0)
        draws = np.empty((DRAWS, len(candidates), len(self._objectives)))
        quantiles = (np.arange(DRAWS) + 0.5) / DRAWS
        for j, objective in enumerate(self._objectives):
            # the same stratified draws for every candidate: differences are not noise
            normals = _normal_quantiles(rng.permutation(quantiles))
            draws[..., j] = self._draws(objective, candidates, normals)
        values = chebyshev((draws - low) / scale, weights)
        best = chebyshev((self._told - low) / scale, weights).max()
        gain = np.maximum(values - best, 0).mean(0)
        # where nothing promises a gain, the expectation itself still ranks
        return np.where(gain > 0, gain, 1e-9 * np.exp(values.mean(0) - best))

    def _draws(self, objective: Objective, candidates, normals: np.ndarray) -> np.ndarray:
        if objective.exact:
            exact = [objective.sign * self._exact(objective.name, a) for a in candidates]
            return np.broadcast_to(exact, (len(normals), len(candidates)))
        fitted = self._fitted[objective.name]
        mean, spread = fitted.warped(candidates)
        return fitted.warp.invert(mean + spread * normals[:, None])

    def _feasible(self, constraint: Constraint, candidates) -> np.ndarray:
        fitted = self._fitted[constraint.metric]
        mean, epistemic, _ = fitted.in_units(candidates)
        sign = constraint.sign
        return probability_below(sign * mean, np.maximum(epistemic, 1e-12), sign * constraint.bound)

    def in_units(self, architectures: Sequence[Architecture]) -> dict[str, tuple[np.ndarray, ...]]:
        """Return mean, epistemic and aleatoric deviation of every objective, in its units."""
        found = {}
        for objective in self._objectives:
            if objective.exact:
                mean = np.array([self._exact(objective.name, a) for a in architectures])
                found[objective.name] = (mean, np.zeros_like(mean), np.zeros_like(mean))
            else:
                found[objective.name] = self._fitted[objective.name].in_units(architectures)
        return found

    def explain(self, architecture: Architecture, acquisition: float) -> dict:
        """Return what `Policy.explain` shows of a proposal."""
        units = self.in_units([architecture])
        return {
            "reason": "optimise",
            "mean": {name: float(u[0][0]) for name, u in units.items()},
            "epistemic": {name: float(u[1][0]) for name, u in units.items()},
            "acquisition": acquisition,
        }


def _normal_quantiles(probabilities: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri

    return ndtri(probabilities)
