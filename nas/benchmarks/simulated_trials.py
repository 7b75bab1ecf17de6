"""What simulated trials give and how long they last: made up, or after a table of real ones."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nas.benchmarks.tables import Table
from nas.benchmarks.trivial_trial import value
from search_spaces import Architecture, load_space
from surrogates.features.columns import Featurizer

MEDIAN_SECONDS, SPREAD = 600.0, 0.5  # of a made-up trial, lognormal
_PENALTY = 3.0  # of the regression: as much as so many rows, in standardised features


@dataclass(frozen=True)
class Trials:
    """A space whose trials need no training.

    Attributes:
        space: What is searched.
        value: The score of an architecture, larger is better.
        seconds: How long its trial lasts.
        median_seconds: Of a usual trial.
    """

    space: Any
    value: Callable[[Architecture], float]
    seconds: Callable[[Architecture], float]
    median_seconds: float

    def lasting(self, median_seconds: float) -> "Trials":
        """Return the same trials, all faster or slower, with this median."""
        factor = median_seconds / self.median_seconds
        return replace(
            self, seconds=lambda a: factor * self.seconds(a), median_seconds=median_seconds
        )

    def threshold(self, share: float, sample: int) -> float:
        """Return the value that `share` of a sample of so many architectures exceeds."""
        drawn = self.space.sample(sample, seed=1)
        return float(np.quantile([self.value(a) for a in drawn], 1 - share))


def made_up(space: str = "flexibert-small") -> Trials:
    """Return trials whose score grows with size and whose seconds are drawn."""
    return Trials(
        load_space(space),
        value,
        lambda a: MEDIAN_SECONDS * float(np.exp(SPREAD * _normal(a, "seconds"))),
        MEDIAN_SECONDS,
    )


def after_table(table: Table, space: str, metric: str, seconds: str) -> Trials:
    """Return trials of a whole space after a table of some of it.

    An architecture of the table has what was recorded of it; another what a ridge regression of
    the records on its features says, and as much chance as the records leave unexplained.

    Args:
        table: Trained architectures.
        space: Name of the space they are from.
        metric: The column of scores.
        seconds: The column of durations; regressed on in logarithms.
    """
    named = load_space(space)
    features = Featurizer(named)
    score = _Regression(features, table, table.column(metric), "score")
    logs = _Regression(features, table, np.log(table.column(seconds)), "seconds")
    return Trials(
        named, score, lambda a: float(np.exp(logs(a))), float(np.median(table.column(seconds)))
    )


class _Regression:
    """A column of a table as a function of every architecture."""

    def __init__(self, features: Featurizer, table: Table, column: np.ndarray, name: str):
        self._features, self._name = features, name
        rows = features(table.architectures)
        self._mean = column.mean()
        gram = rows.T @ rows + _PENALTY * np.eye(rows.shape[1])
        self._weights = np.linalg.solve(gram, rows.T @ (column - self._mean))
        self._spread = float(np.std(column - self._mean - rows @ self._weights))
        self._known = dict(zip((a.hash for a in table.architectures), column, strict=True))

    def __call__(self, architecture: Architecture) -> float:
        if architecture.hash not in self._known:
            expected = self._mean + self._features([architecture])[0] @ self._weights
            chance = self._spread * _normal(architecture, self._name)
            self._known[architecture.hash] = expected + chance
        return float(self._known[architecture.hash])


def _normal(architecture: Architecture, name: str) -> float:
    """Return a standard normal number that is the same whenever it is asked for."""
    digest = hashlib.sha256(f"{name}/{architecture.hash}".encode()).digest()
    return float(np.random.default_rng(int.from_bytes(digest[:8], "big")).normal())
