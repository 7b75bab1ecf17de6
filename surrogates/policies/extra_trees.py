"""Extremely randomised trees with expected improvement: each sees everything, and splits by chance.

Source: Geurts, Ernst, Wehenkel, "Extremely Randomized Trees", Machine Learning 2006; of their use
with expected improvement, Head et al., "scikit-optimize" (Zenodo 2018), its `base_estimator="ET"`.
Differs on purpose: rows are one-hot, targets are normal scores of ranks, and the two variances are
those of "forest", so that the two policies differ in how trees are grown alone.
"""

from typing import Any

from search_spaces.architectures.facts import Columns
from surrogates.features.one_hot import OneHotRows
from surrogates.policies.forest import FEATURES, SPLIT, Forest
from surrogates.policies.model_policy import ModelPolicy

TREES = 100  # thresholds drawn by chance need more trees to average out than the best ones do


def extra_trees(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "extra-trees".

    Partial results are learned as if they were full; see `Record.lifted`.
    """
    rows = OneHotRows(Columns.of(space))
    return ModelPolicy(
        name, space, objectives, seed, constraints, options,
        make_model=lambda sign, features: Forest(rows, make=random_splits),
    )  # fmt: skip


def random_splits(seed: int) -> Any:
    """Return an ensemble of trees that is not yet grown, whose splits are drawn."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(
        n_estimators=TREES, max_features=FEATURES, min_samples_split=SPLIT, random_state=seed
    )
