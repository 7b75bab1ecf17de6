"""The policy around a surrogate model: initial design, fitting, and choosing what to ask."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.acquisition.beliefs import Beliefs
from surrogates.acquisition.first_proposals import Large, most_different, sizes
from surrogates.candidates import Candidates
from surrogates.features.columns import Featurizer
from surrogates.models.many_results import MANY
from surrogates.models.model import Model
from surrogates.models.prior_mean import AdditivePrior
from surrogates.models.warping import AUTO, WARPS, Standardise
from surrogates.policy import Options, Policy, Prediction

DRAWN = 1000  # candidates drawn uniformly from a space too big to list
PARENTS, NEIGHBOURS = 5, 40  # and neighbours of the best, per ask
SCREENED = 1000  # best candidates that the later proposals of a batch choose from
COMPUTED = 100_000  # exact values remembered at most
LARGE = "large"
DESIGNS = (LARGE, "random", "spread")
EXPECTED, NOISY = "expected", "noisy"
FEW = 4  # results that may speak against large ones
FIRST_SHARE = 0.1  # of proposals for the first objective alone, where there are several


@dataclass(frozen=True)
class ModelOptions(Options):
    """Settings of a policy with a surrogate model.

    Attributes:
        initial: Results before the model is asked, warm-start results among them; until they are
            in, proposals are of the initial design.
        large: How many with the design "large", of which only large warm-start results take off.
        targets: What the models learn: "standard" (values less their mean, over their deviation),
            "ranks" (normal scores of ranks), "arcsinh" (standard near the median, logarithms far
            from it), or "auto": ranks to improve one objective, which long tails of bad results
            then disturb least, and arcsinh to predict and for a hypervolume, which live in units.
        first_share: With several objectives, the share of proposals that improve the first alone.
        ends: Features also tell how the first and the last layer differ from the mean layer.
        design: The initial proposals, and all before the first result: "spread" (the largest,
            then far from all before), "large" (the same among the largest quarter, where one
            metric is to be maximised, none that is measured is bounded, and four results or more
            do not say that large ones are worse) or "random".
        improvement: "expected" over the best results as told, in closed form, or "noisy" over what
            they may truly be, by samples.
        per_second: Divide the acquisition by the seconds a trial is expected to take, once three
            results came with a cost.
        prior: Metric to a table of what the parts of an architecture add to it, as
            `surrogates.models.prior_mean` has them; models learn what is left. None for nothing.
    """

    initial: int = 3
    large: int = 5
    targets: str = "ranks"
    first_share: float = FIRST_SHARE
    ends: bool = True
    design: str = "spread"
    improvement: str = EXPECTED
    per_second: bool = False
    prior: Any = None


# what a proposal is for
FIRST, FRONT = "first objective", "front"

# given +1 where the raw metric is to be maximised, else -1, and the features of the space
MakeModel = Callable[[int, Featurizer], Model]


class ModelPolicy(Policy):
    """Asks for the candidate of largest expected improvement under a model of each objective.

    The initial design spreads over size and content and starts with the largest. A batch is filled
    one by one, assuming that each pending architecture returns what the model expects (kriging
    believer). Failed trials count as the worst value seen. With several objectives it is the
    expected hypervolume improvement over the front the models believe in; exact objectives enter
    exactly.

    Args:
        make_model: Builds the model of one metric.
        settings: The class of its options.
        more_candidates: In spaces too big to list, given the fitted model of the first objective
            (None if it is exact), the best told, the candidates drawn and a generator, returns
            more of them.
        narrow: Given the policy, the candidates and how many are wanted, returns those among which
            to choose.
    """

    Options = ModelOptions

    def __init__(
        self, name, space, objectives, seed, constraints, options, *, make_model: MakeModel,
        settings=ModelOptions, more_candidates=None, narrow=None,
    ):  # fmt: skip
        self.Options = settings
        super().__init__(name, space, objectives, seed, constraints, options)
        for option in ("initial", "large"):
            if (value := getattr(self.options, option)) < 1:
                raise PolicyError(f"The option {option} is {value!r}; give one proposal or more.")
        self._check("targets", (*WARPS, AUTO))
        self._check("design", DESIGNS)
        self._check("improvement", (EXPECTED, NOISY))
        self._make_model, self._more_candidates = make_model, more_candidates
        self._narrow = narrow
        self.features = Featurizer(space, ends=self.options.ends)
        self._candidates = Candidates(space, self.allowed)
        self._computed: dict[tuple[str, str], float] = {}
        tables = self.options.prior or {}
        self._priors = {metric: AdditivePrior(table) for metric, table in tables.items()}

    def exact(self, metric, architecture):
        # asked of the same candidates by every belief and for every proposal of a batch
        key = metric, architecture.hash
        if key not in self._computed:
            if len(self._computed) >= COMPUTED:
                self._computed.clear()
            self._computed[key] = super().exact(metric, architecture)
        return self._computed[key]

    def _check(self, option: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self.options, option)
        if value not in allowed:
            raise PolicyError(
                f"The option {option} is {value!r}; give one of {', '.join(sorted(allowed))}."
            )

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        # on matrices this small several threads wait for each other, and for the trials that use
        # the other cores
        with threadpool_limits(1):
            return self._design_or_improve(n, rng)

    def _design_or_improve(self, n, rng) -> list[tuple[Architecture, dict]]:
        proposals: list[tuple[Architecture, dict]] = []
        seen, mentioned = self.seen(), [t.architecture for t in self.trials()]
        # results count and not proposals: where trials run side by side, a model that was asked
        # after the first of them would see a line through one point
        too_few = len(self._record.done()) < self.options.initial
        missing = self._missing(mentioned)
        while len(proposals) < n and (too_few or missing > 0):
            chosen = self._first(mentioned, rng, seen)
            if chosen is None:
                return proposals
            proposals.append((chosen, {"reason": "initial"}))
            mentioned.append(chosen)
            seen.add(chosen.hash)
            missing -= 1
        if len(proposals) < n:
            proposals += self._improve(n - len(proposals), [a for a, _ in proposals], rng, seen)
        return proposals

    def _missing(self, mentioned) -> int:
        """Return how many large proposals the design still lacks; none if negative."""
        if not self._wants_large or len(mentioned) >= MANY or self._falls_with_size():
            return 0
        return min(self.options.large, self._large.members) - self._large.count(mentioned)

    def _falls_with_size(self) -> bool:
        """Whether results, four at least, say that the larger ones are no better."""
        done, first = self._record.done(), self.objectives[0].name
        if len(done) < FEW:
            return False
        found = sizes([t.architecture for t in done], self.features)
        values = [t.values[first] for t in done]
        if not np.ptp(found) or not np.ptp(values):  # equal ones say nothing
            return False
        return bool(spearmanr(found, values).statistic < 0)

    @property
    def _wants_large(self) -> bool:
        # a front needs small ones too, the least of a loss or a latency may be with them, and what
        # a measured constraint bounds most often grows with size
        one = len(self.objectives) == 1 and self.objectives[0].sign > 0
        bounded = any(not c.exact for c in self.constraints)
        return one and not bounded and self.options.design == LARGE

    @cached_property
    def _large(self) -> Large:
        # the same in a policy restored from its state
        rng = np.random.default_rng(self.seed)
        return Large(self._candidates.draw(DRAWN, rng, set()), self.features)

    def _first(self, mentioned, rng, seen) -> Architecture | None:
        """Return what to try while too little is known to ask a model; None if nothing is left."""
        pool = self._candidates.draw(DRAWN, rng, seen)
        if not pool:
            return None
        if self.options.design == "random":
            return pool[0]
        large = self._large if self._wants_large else None
        return most_different(pool, mentioned, self.features, large=large)

    def _improve(self, n, more_pending, rng, seen) -> list[tuple[Architecture, dict]]:
        aims = [self._aim(rng) for _ in range(n)]
        by_aim = {aim: self._beliefs(rng, aim) for aim in dict.fromkeys(aims)}
        pool = self._pool(n, rng, seen, by_aim[aims[0]])
        if self._narrow is not None:
            pool = list(self._narrow(self, pool, n))
        if not pool:
            return []
        for beliefs in by_aim.values():
            beliefs.assume([*self.pending(), *more_pending])
        proposals = []
        for aim in aims[: len(pool)]:
            beliefs = by_aim[aim]
            # a front is pushed out at many places, so that there is room to try each view
            beliefs.follow(rng if aim == FRONT else None)
            value = beliefs.acquisition(pool) / self._seconds(pool, rng)
            beliefs.follow(None)
            best = int(np.argmax(value))
            proposals.append((pool[best], beliefs.explain(pool[best], float(value[best]))))
            if len(proposals) < n:
                for later in dict.fromkeys(aims[len(proposals) :]):
                    by_aim[later].assume([pool[best]])
                pool = _without(pool, best, value, max(SCREENED, 2 * n))
        return proposals

    def _aim(self, rng) -> str:
        """Draw what a proposal is for: the first objective alone, or the front."""
        alone = len(self.objectives) == 1 or rng.random() < self.options.first_share
        return FIRST if alone else FRONT

    def _seconds(self, pool, rng) -> np.ndarray | float:
        """Return the expected seconds of each trial with the option per_second, else 1."""
        told = [t for t in self._record.done() if t.cost]
        if not self.options.per_second or len(told) < 3:
            return 1.0
        warp, model = (
            Standardise(np.log([t.cost for t in told])),
            self._make_model(1, self.features),
        )
        model.fit([t.architecture for t in told], warp.scores, rng)
        return np.exp(warp.invert(model.believe(pool).mean))

    def _beliefs(self, rng, aim: str) -> Beliefs:
        """Fit for proposals that improve the first objective alone, or for units and the front."""
        targets = self.options.targets
        if targets == AUTO:
            targets = {FIRST: "ranks", FRONT: "arcsinh"}[aim]
        return Beliefs(
            self._record,
            lambda sign: self._make_model(sign, self.features),
            self.exact,
            rng,
            WARPS[targets],
            first_alone=aim == FIRST,
            noisy=self.options.improvement == NOISY,
            priors=self._priors,
        )

    def _pool(self, n, rng, seen, beliefs) -> list[Architecture]:
        """Everything left of a listable space; else draws and neighbours of the best.

        With many results only a part of a listable space is scored too: all of it would take
        longer with every result, for less and less that is new.
        """
        if self._candidates.listable:
            left = [a for a in self._candidates.every() if a.hash not in seen]
            if len(self._record.turns) <= MANY or len(left) <= 2 * DRAWN:
                return left
        drawn = self._candidates.draw(max(DRAWN, n), rng, seen)
        near = self._candidates.near(self._best(), rng, seen, NEIGHBOURS)
        more = []
        if self._more_candidates is not None and self._best():
            model = beliefs.model(self.objectives[0].name)
            found = self._more_candidates(model, self._best(), drawn, rng)
            more = found + self._candidates.near(found, rng, seen, NEIGHBOURS)
        return list(dict.fromkeys(drawn + near + more))

    def _best(self) -> list[Architecture]:
        """The told architectures that are best in some objective, a few of each."""
        done, found = self._record.done(), []
        modelled = [o for o in self.objectives if not o.exact]
        for objective in modelled:
            ranked = sorted(done, key=lambda t: -objective.sign * t.values[objective.name])
            found += [t.architecture for t in ranked[:PARENTS]]
        return list(dict.fromkeys(found))

    def predict(self, architectures) -> dict[str, Prediction]:
        if not self._record.done():
            raise PolicyError(
                f"Policy {self.name!r} has been told no result yet, so it cannot predict."
            )
        rng = np.random.default_rng([self.seed, self._record.asked])
        with threadpool_limits(1):
            units = self._beliefs(rng, FRONT).in_units(architectures)
        return {name: Prediction(*values) for name, values in units.items()}


def _without(pool: list[Architecture], chosen: int, value: np.ndarray, keep: int) -> list:
    """Return `pool` less one, and of a pool of more than `keep` the best `keep`, in their order.

    Assuming a result changes what is known about its surroundings only, so that a candidate far
    down the list has no chance to come first within a batch.
    """
    value = value.copy()
    value[chosen] = -np.inf
    left = min(keep, len(pool) - 1)
    order = np.sort(np.argsort(-value, kind="stable")[:left])
    return [pool[i] for i in order]
