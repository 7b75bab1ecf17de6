"""Random forest with expected improvement, as in SMAC: trees that disagree where little is known.

Source: Hutter, Hoos, Leyton-Brown, "Sequential Model-Based Optimization for General Algorithm
Configuration", LION 2011; the two variances: Hutter, Xu, Hoos, Leyton-Brown, "Algorithm Runtime
Prediction: Methods & Evaluation", Artificial Intelligence 2014.
Differs on purpose: targets are normal scores of ranks instead of logarithms, which suit runtimes; a
long tail of failed trainings would otherwise decide where trees split.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from search_spaces.architectures.facts import Columns
from surrogates.features.one_hot import OneHotRows, ToldColumns
from surrogates.models.model import Belief, Model
from surrogates.policies.model_policy import ModelPolicy

TREES = 30
FEATURES = 5 / 6  # share of the columns a split chooses from
SPLIT = 3  # fewest results in a node that is split
TIES = 1e-6  # largest spread added to tell equal predictions apart


def forest(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "forest".

    Partial results are learned as if they were full; see `Record.lifted`.
    """
    rows = OneHotRows(Columns.of(space))
    return ModelPolicy(
        name, space, objectives, seed, constraints, options,
        make_model=lambda sign, features: Forest(rows),
    )  # fmt: skip


def random_forest(seed: int) -> Any:
    """Return SMAC's random forest, not yet grown."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(
        n_estimators=TREES, max_features=FEATURES, min_samples_split=SPLIT, random_state=seed
    )


class Forest(Model):
    """Many of scikit-learn's trees over one-hot rows.

    The epistemic deviation is that of the trees' means, the aleatoric one comes from the variance
    within their leaves.

    Args:
        rows: Encodes architectures.
        make: Returns an ensemble of trees that is not yet grown, given a seed.
    """

    def __init__(self, rows: OneHotRows, make: Callable[[int], Any] = random_forest):
        self._rows, self._make = rows, make

    def fit(self, architectures, targets, rng):
        self._told, self._targets = list(architectures), np.asarray(targets, float)
        self._seed = int(rng.integers(2**31))
        self._grow()

    def _grow(self) -> None:
        self._columns = ToldColumns(self._rows, self._told)
        self.regressor = self._make(self._seed).fit(self._columns(self._told), self._targets)

    def believe(self, architectures):
        rows = self._columns(architectures).astype(np.float32)
        means, variances = [], []
        for tree in self.regressor.estimators_:
            leaves = tree.tree_.apply(rows)
            means.append(tree.tree_.value[leaves, 0, 0])
            variances.append(tree.tree_.impurity[leaves])
        # candidates in the same leaves are equal to the forest; which one is tried must not
        # depend on the order of a table
        ties = np.array([int(a.hash[:8], 16) / 2**32 for a in architectures])
        spread = np.std(means, axis=0) + TIES * (1 + ties)
        noise = np.sqrt(np.maximum(np.mean(variances, axis=0), 0.0))
        return Belief(np.mean(means, axis=0), spread, noise)

    def assume(self, architectures, targets):
        self._told += architectures
        self._targets = np.concatenate([self._targets, targets])
        self._grow()
