"""Which architecture is trained with how much of the budget, and which goes on.

A rule sees proposals and results in the order in which they were recorded, and nothing else, so
that a resumed search and a replay promote what the first driver did.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from search_spaces.registry import Registry
from surrogates.domination.ranked import Fronts


class Rung:
    """The results at one fidelity.

    Args:
        several: Whether there are several objectives: then ranked by front, else by value.
    """

    def __init__(self, *, several: bool):
        self._several = several
        self._order: list[int] | None = []
        self.values: dict[int, tuple[float, ...]] = {}
        self.promoted: set[int] = set()
        self._fronts = Fronts()
        self._entered: set[int] = set()

    def told(self, trial: int, values: Sequence[float]) -> None:
        """Enter a result; `values` are those of the objectives, larger is better."""
        self.values[trial], self._order = tuple(values), None

    def best_first(self) -> list[int]:
        """Return the trials from the best on; among equals the earlier one comes first."""
        if self._order is None:
            keys = {trial: (0.0, -values[0]) for trial, values in self.values.items()}
            if self._several:
                keys = {t: (front, keys[t][1]) for t, front in self._ranked().items()}
            self._order = sorted(keys, key=lambda trial: (*keys[trial], trial))
        return self._order

    def _ranked(self) -> dict[int, int]:
        for trial, values in self.values.items():
            if trial not in self._entered:
                self._entered.add(trial)
                self._fronts.add(trial, values)
        return self._fronts.numbers()


class FidelityRule(ABC):
    """Decides at which fidelity a proposal starts, and which trial is promoted next.

    Args:
        fidelities: Shares of the pre-training tokens, ascending, the last one 1.
        reduction: One in so many is promoted.
        objectives: How many there are.
    """

    def __init__(self, fidelities: Sequence[float], reduction: float, objectives: int):
        self.fidelities, self.reduction = tuple(fidelities), reduction
        self._several = objectives > 1
        self._asked = 0
        self._ladder: dict[int, int] = {}  # trial -> place of its bracket's lowest fidelity
        self._rungs: dict[tuple[int, int], Rung] = {}  # (bracket, place of the fidelity)

    def next_fidelity(self, proposed: float | None = None) -> float:
        """Return the fidelity at which the next proposal starts.

        Args:
            proposed: Where the policy would have it start; most rules do not care.
        """
        return self.fidelities[self._bracket(self._asked)]

    def ask(self, trial: int) -> None:
        """Enter a proposal, which starts at `next_fidelity`."""
        self._ladder[trial] = self._bracket(self._asked)
        self._asked += 1

    def promoted(self, below: int, trial: int, fidelity: float) -> None:
        """Enter that `trial` continues `below` at `fidelity`."""
        bracket = self._ladder[trial] = self._ladder[below]
        self._rung(bracket, self.fidelities.index(fidelity) - 1).promoted.add(below)

    def told(self, trial: int, fidelity: float, values: Sequence[float]) -> None:
        """Enter a result; `values` are those of the objectives, larger is better."""
        place = self.fidelities.index(fidelity)
        self._rung(self._ladder[trial], place).told(trial, values)

    def promotion(self) -> tuple[int, float] | None:
        """Return a trial that deserves more, with its next fidelity; the highest rungs first."""
        for bracket, place in sorted(self._rungs, key=lambda at: (-at[1], at[0])):
            if place == len(self.fidelities) - 1:
                continue
            rung = self._rungs[bracket, place]
            for trial in self._worthy(rung):
                if trial not in rung.promoted:
                    return trial, self.fidelities[place + 1]
        return None

    def last_word(self) -> tuple[int, float] | None:
        """Return what to promote when nothing else is left and nothing reached full fidelity."""
        reached = {place for (_, place), rung in self._rungs.items() if rung.values}
        top = len(self.fidelities) - 1
        for place in sorted(reached, reverse=True):
            if place == top:
                return None
            rungs = [r for (_, at), r in sorted(self._rungs.items()) if at == place]
            left = [t for r in rungs for t in r.best_first() if t not in r.promoted]
            if left:
                return left[0], self.fidelities[place + 1]
        return None

    def _rung(self, bracket: int, place: int) -> Rung:
        return self._rungs.setdefault((bracket, place), Rung(several=self._several))

    def _bracket(self, asked: int) -> int:
        """Return the place of the lowest fidelity of the proposal number `asked`, from 0."""
        return 0

    @abstractmethod
    def _worthy(self, rung: Rung) -> Sequence[int]:
        """Return the trials of a rung that deserve the next fidelity, best first."""


FIDELITY_RULES: Registry[Callable[..., FidelityRule]] = Registry(
    "fidelity rule", group="nas.fidelity_rules"
)


@FIDELITY_RULES.register("full")
class Full(FidelityRule):
    """Every architecture is trained to the end at once."""

    def __init__(self, fidelities: Sequence[float], reduction: float, objectives: int):
        super().__init__((1.0,), reduction, objectives)

    def ask(self, trial: int) -> None:
        """Nothing is ever promoted, so that nothing is kept."""

    def told(self, trial: int, fidelity: float, values: Sequence[float]) -> None:
        """Nothing is ever promoted, so that nothing is kept."""

    def promotion(self) -> None:
        return None

    def _worthy(self, rung: Rung) -> Sequence[int]:
        return ()


@FIDELITY_RULES.register("asha")
class SuccessiveHalving(FidelityRule):
    """Promotes the best third, or whatever `reduction` says, of the results so far at each rung.

    A free worker never waits for a rung to fill: a trial is promoted as soon as it is among them.

    Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020.
    Differs on purpose: several objectives rank by non-dominated front, then by the first; a search
    that ends before anything was promoted to the top trains its best trial there.
    """

    def _worthy(self, rung: Rung) -> Sequence[int]:
        from surrogates.promotion import promoted_count

        return rung.best_first()[: promoted_count(len(rung.values), self.reduction)]


@FIDELITY_RULES.register("policy")
class PolicysChoice(SuccessiveHalving):
    """Successive halving where the policy says at which fidelity its proposal starts.

    What a model is sure of need not pass every rung: each costs the fine-tuning of all tasks.
    """

    def next_fidelity(self, proposed: float | None = None) -> float:
        return proposed if proposed in self.fidelities else self.fidelities[0]


@FIDELITY_RULES.register("hyperband")
class Hyperband(SuccessiveHalving):
    """Successive halving from every fidelity: some proposals start with a higher share.

    What looks bad early and ends well is found by the brackets that start higher. Of each round,
    the bracket that starts at the k-th of K fidelities gets ceil(K / (K - k) · reduction^(K-1-k))
    proposals, which gives every bracket about the same budget.

    Source: Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
    JMLR 2018; asynchronous as in Li et al., MLSys 2020.
    """

    def _bracket(self, asked: int) -> int:
        count = len(self.fidelities)
        sizes = [
            -int(-(count / (count - k)) * self.reduction ** (count - 1 - k) // 1)
            for k in range(count)
        ]
        left = asked % sum(sizes)
        for bracket, size in enumerate(sizes):
            if left < size:
                return bracket
            left -= size
        raise AssertionError("the sizes add up to their sum")


@FIDELITY_RULES.register("median")
class MedianStopping(FidelityRule):
    """Goes on with everything that is at least as good as the median at its fidelity.

    Source: Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017.
    Differs on purpose: compares results at the same fidelity instead of running averages.
    """

    def _worthy(self, rung: Rung) -> Sequence[int]:
        return rung.best_first()[: (len(rung.values) + 1) // 2]
