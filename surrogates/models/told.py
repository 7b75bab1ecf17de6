"""The results of one metric as a model learns them: values, fidelities, and in which order."""

import numpy as np

from surrogates.models.many_results import KEPT, MANY, evenly, first_told, kept
from surrogates.models.model import Model
from surrogates.models.warping import Standardise, Warp
from surrogates.record import Record


class Told:
    """Results at the highest fidelity, then failures, then results at lower fidelities.

    Args:
        metric: The key of the told values.
        sign: +1 when larger is better.
        record: At least one result; a failure counts as the worst value told.
        lower: Whether to include lower fidelities as they are told. Otherwise what was told at
            them alone counts as `Record.lifted` makes of it, as if at the highest.

    Attributes:
        architectures: Of each result, `n`.
        values: Larger is better, in the metric's unit, `(n,)`.
        fidelities: `(n,)`.
        done, failed: How many have the highest fidelity, and how many that or failed.
        full: How many are as if at the highest fidelity.
        order: Positions in the order of telling, `(n,)`.
    """

    def __init__(self, metric: str, sign: int, record: Record, *, lower: bool):
        done, failed, highest = record.done(), record.failed(), record.highest()
        lifted = [(t.architecture, max(t.partial), t.values) for t in record.lifted()]
        low = record.lower() if lower else lifted
        self.architectures = [t.architecture for t in done + failed] + [a for a, _, _ in low]
        self.done, self.failed = len(done), len(done) + len(failed)
        values = [sign * t.values[metric] for t in done]
        values += [min(values)] * len(failed) + [sign * v[metric] for _, _, v in low]
        self.values = np.array(values)
        self.full = self.failed if lower else len(values)
        self.fidelities = np.array([highest] * self.failed + [f for _, f, _ in low])
        keys = [highest] * len(done) + [None] * len(failed) + [f for _, f, _ in low]
        hashes = (a.hash for a in self.architectures)
        self.order = np.argsort([record.turns[key] for key in zip(hashes, keys, strict=True)])

    def __len__(self) -> int:
        return len(self.values)

    def fit(
        self, model: Model, warp: type[Warp], rng: np.random.Generator, best: np.ndarray | None
    ) -> Warp:
        """Fit `model` and return what turned the values into targets.

        Args:
            model: Unfitted.
            warp: For results at one fidelity; scores of ranks say nothing about another.
            rng: For the fit.
            best: Positions of results that are no failures, the best first, to keep if there are
                too many; by default those best in this metric.
        """
        every = np.arange(len(self))
        warped, targets = self._targets(every, warp)
        if len(self) <= MANY or not model.learns_from_few:
            model.fit(self.architectures, targets, rng, *self._fidelities(every))
            return warped
        first = self.order[: first_told(len(self))]
        if not (first < self.done).any():  # failures alone teach nothing
            first = self.order
        first = np.sort(first)
        _, of_first = self._targets(first, warp)
        few = evenly(np.arange(len(first)), MANY)
        model.learn(self._at(first[few]), of_first[few], *self._fidelities(first[few]))
        if len(self) > KEPT:
            best = np.argsort(-self.values[: self.done], kind="stable") if best is None else best
            every = self.order[kept(len(self), np.argsort(self.order)[best])]
        model.condition(self._at(every), targets[every], *self._fidelities(every))
        return warped

    def _at(self, positions: np.ndarray) -> list:
        return [self.architectures[i] for i in positions]

    def _fidelities(self, positions: np.ndarray) -> tuple[np.ndarray, ...]:
        return () if len(self) == self.full else (self.fidelities[positions],)

    def _targets(self, positions: np.ndarray, warp: type[Warp]) -> tuple[Warp, np.ndarray]:
        """Return targets of the results at ascending `positions`, as if nothing else were told."""
        values = self.values[positions]
        done, failed, full = np.searchsorted(positions, [self.done, self.failed, self.full])
        values[done:failed] = values[:done].min()
        if len(self) == self.full:
            warped = warp(values)
            return warped, warped.scores
        warped = Standardise(values[:full])
        return warped, np.concatenate([warped.scores, warped.score(values[full:])])
