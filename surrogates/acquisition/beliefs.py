"""What models believe about every objective and constraint at once, and what is worth trying."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from search_spaces import Architecture
from surrogates.acquisition.functions import expected_improvement, probability_below
from surrogates.acquisition.hypervolume import expected_hypervolume_improvement
from surrogates.models.many_results import MANY, best_in_turn
from surrogates.models.model import Model
from surrogates.models.prior_mean import Prior, WithPrior
from surrogates.models.told import Told
from surrogates.models.warping import RankWarp, Warp
from surrogates.objectives import Constraint, Objective
from surrogates.record import Record

NOISY = 256  # candidates that the noisy improvement, which is slow, looks at


class Fitted:
    """One model of one metric, fitted on warped values; larger is better inside.

    Args:
        metric: The key of the told values.
        sign: +1 when larger is better.
        model: Unfitted.
        record: Results to learn; a failure counts as the worst value told.
        rng: For the fit.
        warp: Turns values into targets.
        best: Positions of results with values, the best first, to keep where there are too many.
    """

    def __init__(
        self,
        metric: str,
        sign: int,
        model: Model,
        record: Record,
        rng: np.random.Generator,
        warp: type[Warp] = RankWarp,
        best: np.ndarray | None = None,
    ):
        self.sign, self.model = sign, model
        told = Told(metric, sign, record, lower=model.learns_fidelities)
        self.warp = told.fit(model, warp, rng, best)

    def warped(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and epistemic standard deviation in warped units, each `(n,)`."""
        belief = self.model.believe(architectures)
        return belief.mean, belief.epistemic

    def truth(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and epistemic deviation in units, larger is better, each `(n,)`."""
        belief = self.model.believe(architectures)
        return self.warp.moments(belief.mean, belief.epistemic)

    def in_units(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, ...]:
        """Return mean, epistemic and aleatoric deviation in the metric's units, each `(n,)`."""
        belief = self.model.believe(architectures)
        _, epistemic = self.warp.moments(belief.mean, belief.epistemic)
        # the mean of what will be told, noise included, where the way back to units is curved
        mean, spread = self.warp.moments(belief.mean, np.hypot(belief.epistemic, belief.aleatoric))
        aleatoric = np.sqrt(np.maximum(spread**2 - epistemic**2, 0))
        return self.sign * mean, epistemic, aleatoric


class Beliefs:
    """Fitted models of the metrics a policy cares about, and the acquisition over all of them.

    Args:
        record: At least one result with values.
        make_model: Builds the model of a metric, given its sign.
        exact: Computes "parameters" or "flops" of an architecture.
        rng: For the fits.
        warp: Turns values into targets.
        first_alone: Improve the first objective alone.
        noisy: Doubt what was told too, where improvement is measured from.
        priors: Metric to what is known of architectures before any result, larger is more.
    """

    def __init__(
        self,
        record: Record,
        make_model: Callable[[int], Model],
        exact: Callable[[str, Architecture], float],
        rng: np.random.Generator,
        warp: type[Warp] = RankWarp,
        *,
        first_alone: bool = False,
        noisy: bool = False,
        priors: Mapping[str, Prior] | None = None,
    ):
        self._objectives, self._exact = record.objectives, exact
        self._alone = first_alone or len(record.objectives) == 1
        self._noisy_seed = int(rng.integers(2**31)) if noisy else None
        self._constraints = [c for c in record.constraints if not c.exact]
        done = record.done()
        self._values = np.array([[self._value(o, t) for o in self._objectives] for t in done])
        self._kept = np.array(
            [all(c.allows(t.values[c.metric]) for c in self._constraints) for t in done]
        )
        best = best_in_turn(self._values) if len(done) > MANY else None
        self._fitted = {
            metric: Fitted(
                metric,
                sign,
                _with_prior(make_model(sign), metric, sign, priors or {}),
                record,
                rng,
                warp,
                best,
            )  # fmt: skip
            for metric, sign in self._metrics(record.objectives, self._constraints)
        }
        self._known = [t.architecture for t, kept in zip(done, self._kept, strict=True) if kept]

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
            self._known = [*self._known, *pending]
            for fitted in self._fitted.values():
                fitted.model.assume(pending, fitted.warped(pending)[0])

    def follow(self, rng: np.random.Generator | None) -> None:
        """Let the model of each objective believe one of its parts alone; with None, the whole."""
        for objective in self._objectives:
            if not objective.exact:
                self._fitted[objective.name].model.follow(rng)

    def model(self, metric: str) -> Model | None:
        """Return the fitted model of a metric; None for an exact one."""
        fitted = self._fitted.get(metric)
        return None if fitted is None else fitted.model

    def acquisition(self, candidates: Sequence[Architecture]) -> np.ndarray:
        """Return how much each candidate is expected to improve what is known, `(n,)`.

        One objective: expected improvement over the best result that keeps the measured
        constraints; several: expected hypervolume improvement over the front that those are
        believed to have. Both times the probability of keeping the constraints, which counts alone
        until something keeps them.
        """
        gain = np.ones(len(candidates))
        if self._kept.any():
            gain = self._improvement(candidates) if self._alone else self._advance(candidates)
        for constraint in self._constraints:
            gain = gain * self._feasible(constraint, candidates)
        return gain

    def _improvement(self, candidates: Sequence[Architecture]) -> np.ndarray:
        objective = self._objectives[0]
        if objective.exact:
            exact = self._of_exact(objective, candidates)
            return np.exp((exact - exact.max()) / (np.ptp(exact) or 1.0))
        fitted = self._fitted[objective.name]
        best = fitted.warp.scores[: len(self._kept)][self._kept].max()
        gain = expected_improvement(*fitted.warped(candidates), float(best))
        if self._noisy_seed is None:
            return gain
        # the order of scores is that of values
        return self._noisy(candidates, gain, [objective], lambda scores: scores, np.zeros(1))

    def _advance(self, candidates: Sequence[Architecture]) -> np.ndarray:
        mean, spread = self._truth(candidates)
        low, high = self._values.min(0), self._values.max(0)
        scale = np.where(high > low, high - low, 1.0)
        # a lucky result would hide what is better, so the front is of what is believed
        front, _ = self._truth(self._known)
        reference = np.zeros(len(low))
        gain = expected_hypervolume_improvement(
            (mean - low) / scale, spread / scale, (front - low) / scale, reference
        )
        if self._noisy_seed is None:
            return gain

        def to_values(scores: np.ndarray) -> np.ndarray:
            values = [
                scores[..., j] if o.exact else self._fitted[o.name].warp.invert(scores[..., j])
                for j, o in enumerate(self._objectives)
            ]
            return (np.stack(values, -1) - low) / scale

        return self._noisy(candidates, gain, self._objectives, to_values, reference)

    def _noisy(self, candidates, gain, objectives, to_values, reference) -> np.ndarray:
        """Return the noisy improvement of the candidates of largest `gain`; 0 for the others."""
        from surrogates.acquisition.noisy_front import noisy_improvement

        best = np.sort(np.argsort(-gain, kind="stable")[:NOISY])
        points = [*self._known, *(candidates[i] for i in best)]
        means, covariances = [], []
        for objective in objectives:
            if objective.exact:
                means.append(self._of_exact(objective, points))
                covariances.append(np.zeros((len(points), len(points))))
            else:
                model = self._fitted[objective.name].model
                means.append(model.believe(points).mean)
                covariances.append(model.covariance(points))
        noisy = np.zeros(len(candidates))
        noisy[best] = noisy_improvement(
            np.stack(means, 1), np.stack(covariances), len(self._known), to_values, reference,
            self._noisy_seed,
        )  # fmt: skip
        return noisy

    def _truth(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and epistemic deviation of every objective, `(n, objectives)` each."""
        means, spreads = [], []
        for objective in self._objectives:
            if objective.exact:
                mean = self._of_exact(objective, architectures)
                spread = np.zeros(len(mean))
            else:
                mean, spread = self._fitted[objective.name].truth(architectures)
            means.append(mean)
            spreads.append(spread)
        return np.stack(means, 1), np.stack(spreads, 1)

    def _of_exact(self, objective: Objective, candidates) -> np.ndarray:
        return np.array([objective.sign * self._exact(objective.name, a) for a in candidates])

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
                mean = objective.sign * self._of_exact(objective, architectures)
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
            "aleatoric": {name: float(u[2][0]) for name, u in units.items()},
            "acquisition": acquisition,
        }


def _with_prior(model: Model, metric: str, sign: int, priors: Mapping[str, Prior]) -> Model:
    """Return a model that begins with what is known of a metric, if anything is."""
    if metric not in priors:
        return model
    return WithPrior(model, lambda architectures: sign * priors[metric](architectures))
