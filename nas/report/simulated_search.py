"""Other policies on what a run learned: the search again, with a stand-in for training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas.pareto.attained import attained, scale
from nas.proposals.building import run_space
from nas.report.dominated import Box
from nas.report.snapshot import Snapshot
from nas.report.stand_in import StandIn
from nas.training.recipe import Recipe
from search_spaces import Architecture, Space
from surrogates import Policy, make_policy
from surrogates.objectives import sign_of

LEARNS = ("evolution",)  # the others propose the same whatever comes out: asked at once
ALIKE = ("parameters",)  # and this one in every repeat
BUDGET = 100  # most trials that are simulated
REPEATS = 15


@dataclass(frozen=True)
class Simulated:
    """One policy on the stand-in, many times.

    Attributes:
        best: The best value after each trial, `(repeats, budget)`, in the score's own units.
        seconds: Estimated worker-seconds spent until then, `(repeats, budget)`.
        volume: Share of the run's box that is dominated after each trial, `(repeats, budget)`;
            zeros where one objective is all there is.
        fronts: The best score within each of the run's `bounds` after the whole budget, larger
            better, one array `(repeats, bounds)` for each objective but the first.
    """

    best: np.ndarray
    seconds: np.ndarray
    volume: np.ndarray
    fronts: list[np.ndarray]

    def within(self, seconds: float, worst: float) -> np.ndarray:
        """Return the best value of each repeat when so many worker-seconds are spent."""
        count = (self.seconds <= seconds).sum(axis=1)
        values = np.take_along_axis(self.best, np.maximum(count - 1, 0)[:, None], axis=1)[:, 0]
        return np.where(count > 0, values, worst)


class World:
    """A run's trials turned into something that other policies can be tried on.

    Args:
        snapshot: The run.
        order: Its finished trials, in the order they ended.

    Attributes:
        budget: How many trials are simulated.
        outcome: What the run measured, larger is better, `(trials,)`.
        spent: Worker-seconds that the stand-in thinks the run's trials took.
        worst: The worst score measured.
        score: What answers for training.
        trust: Rank correlation of the stand-in's scores with those of left-out trials.
        box: From the worst to the best that the run measured in each objective; None with one
            objective, or where the trials are alike in one of them.
        names: Those objectives that all trials have, in order.
        measured: What the run measured in each of them, larger better, `(trials, objectives)`.
        bounds: For each of them but the first, where fronts are read; none without a box.
    """

    def __init__(self, snapshot: Snapshot, order: list[int]):
        self._snapshot = snapshot
        self.budget = min(len(order), BUDGET)
        self.outcome = snapshot.sign * snapshot.values(order, snapshot.score)
        self._tried = [snapshot.architectures[i] for i in order]
        self.worst = float(snapshot.sign * self.outcome.min())
        self.names = {
            name: sign_of(direction)
            for name, direction in snapshot.objectives.items()
            if np.isfinite(snapshot.values(order, name)).all()
        }
        self.measured = np.stack(
            [sign * snapshot.values(order, name) for name, sign in self.names.items()], axis=1
        )
        box = Box.of(self.measured)
        self.box = box if len(self.names) > 1 and box.size > 0 else None
        others = self.measured[:, 1:].T if self.box else ()
        self.bounds = [scale(column[: self.budget]) for column in others]
        self._others = [StandIn(self._tried, column) for column in others]
        seconds = np.maximum(np.nan_to_num(snapshot.values(order, "seconds"), nan=1.0), 1e-3)
        self.score = StandIn(self._tried, self.outcome)
        self.trust = self.score.trust
        self._logs = StandIn(self._tried, np.log(seconds))
        self.spent = float(self._cost(self._tried[: self.budget]).sum())
        snapshot.require_trusted()
        self._space: Space = run_space(
            snapshot.space, Recipe.from_dict(snapshot.settings.get("recipe", {}))
        )

    def simulate(self, name: str, seed: int) -> Simulated:
        """Return what the policy called `name` reaches."""
        rng = np.random.default_rng(seed)
        policy = self._policy(name)
        found, asked = [], None
        for repeat in range(REPEATS):
            if name in LEARNS:
                found.append(self._learn(policy, repeat, rng))
                continue
            if asked is None or name not in ALIKE:
                asked = self._begin(policy, repeat).ask(self.budget)
            found.append(self._outcome(self._answer(asked, rng), asked))
        return self._gather(found)

    def rerun(self, seed: int) -> Simulated:
        """Return what the run's own encoders reach when the stand-in answers for training."""
        rng = np.random.default_rng(seed)
        tried = self._tried[: self.budget]
        return self._gather(
            [self._outcome(self._answer(tried, rng), tried) for _ in range(REPEATS)]
        )

    def _policy(self, name: str) -> Policy:
        constraints = self._snapshot.settings.get("constraints", ())
        exact = [c for c in constraints if c.startswith(("parameters", "flops"))]
        options = {}
        if name == "evolution":
            # a population as large as the whole budget would be random search
            population = int(np.clip(self.budget // 4, 2, 20))
            options = {"population": population, "tournament": min(5, population)}
        return make_policy(
            name,
            self._space,
            {self._snapshot.score: self._snapshot.objectives[self._snapshot.score]},
            constraints=tuple(exact),
            options=options,
        )

    @staticmethod
    def _begin(policy: Policy, seed: int) -> Policy:
        """Start a policy anew: a new one would list its space again."""
        policy.seed = seed
        policy.restore([])
        return policy

    def _learn(self, policy: Policy, seed: int, rng: np.random.Generator):
        self._begin(policy, seed)
        asked: list[Architecture] = []
        values: list[float] = []
        while len(asked) < self.budget:
            proposals = policy.ask(min(self._together, self.budget - len(asked)))
            if not proposals:
                break
            answers = self._answer(proposals, rng)
            for architecture, answer in zip(proposals, answers, strict=True):
                value = self._snapshot.sign * float(answer)
                policy.tell(architecture, {self._snapshot.score: value})
            asked += proposals
            values += answers.tolist()
        return self._outcome(np.array(values), asked)

    def _outcome(self, values: np.ndarray, asked: list[Architecture]) -> "_Repeat":
        """What a policy's encoders gave."""
        if self.box is None or not len(values):
            nothing = [np.full(len(bounds), -np.inf) for bounds in self.bounds]
            return _Repeat(values, self._cost(asked), np.zeros(len(values)), nothing)
        costs = [other(asked)[0] for other in self._others]
        shares = self.box.shares(np.stack([values, *costs], axis=1))
        return _Repeat(values, self._cost(asked), shares, self.fronts_of(values, costs))

    def fronts_of(self, scores: np.ndarray, costs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the best of `scores` within each bound of each cost; all larger better."""
        pairs = zip(costs, self.bounds, strict=True)
        return [attained(scores, cost, bounds) for cost, bounds in pairs]

    @cached_property
    def _together(self) -> int:
        """How many trials the run had in flight at once, about; they learn of nothing between."""
        records = self._snapshot.records
        busy = sum(r["seconds"] or 0.0 for r in records)
        passed = self._snapshot.clock(max(r["finished_at"] or 0.0 for r in records))
        return int(np.clip(round(busy / max(passed, 1e-9)), 1, 16))

    def _answer(self, architectures: list[Architecture], rng) -> np.ndarray:
        mean, spread = self.score(architectures)
        return mean + spread * rng.standard_normal(len(mean))

    def _cost(self, architectures: list[Architecture]) -> np.ndarray:
        return np.exp(self._logs(architectures)[0])

    def _gather(self, found: list["_Repeat"]) -> Simulated:
        """A policy that ran out of encoders keeps its best to the end of the budget."""
        best = np.empty((len(found), self.budget))
        seconds = np.full((len(found), self.budget), np.inf)
        volume = np.zeros((len(found), self.budget))
        for row, one in enumerate(found):
            reached = self._snapshot.sign * np.maximum.accumulate(one.values)
            best[row], best[row, : len(reached)] = reached[-1], reached
            seconds[row, : len(one.seconds)] = np.cumsum(one.seconds)
            if len(one.shares):
                volume[row], volume[row, : len(one.shares)] = one.shares[-1], one.shares
        fronts = [np.stack(each) for each in zip(*(one.fronts for one in found), strict=True)]
        return Simulated(best, seconds, volume, fronts)


@dataclass(frozen=True)
class _Repeat:
    """What one simulated search gave: scores, seconds and shares of each trial, and its fronts."""

    values: np.ndarray
    seconds: np.ndarray
    shares: np.ndarray
    fronts: list[np.ndarray]
