"""The belief of a forest, and of trees split by chance, is that of its trees, walked by hand."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from search_spaces import FiniteSpace, load_space
from surrogates import make_policy
from surrogates.features.one_hot import OneHotRows, ToldColumns
from surrogates.policies.extra_trees import random_splits
from surrogates.policies.forest import Forest


@pytest.fixture(scope="module")
def architectures():
    return load_space("nas-bench-bert").sample(60, seed=0)


@pytest.fixture
def fitted(architectures, score):
    rows = OneHotRows()
    model = Forest(rows)
    targets = np.array([score(a) for a in architectures[:40]])
    targets = (targets - targets.mean()) / targets.std()
    model.fit(architectures[:40], targets, np.random.default_rng(0))
    return model, rows


def walk(tree, row):
    """Return the mean and the variance in the leaf that a row falls into."""
    node = 0
    while tree.children_left[node] != -1:
        left = row[tree.feature[node]] <= tree.threshold[node]
        node = (tree.children_left if left else tree.children_right)[node]
    return tree.value[node].item(), tree.impurity[node]


def test_belief_is_that_of_the_trees_walked_by_hand(fitted, architectures):
    model, rows = fitted
    candidates = architectures[40:]
    encoded = ToldColumns(rows, architectures[:40])(candidates)
    belief = model.believe(candidates)
    for i, row in enumerate(encoded):
        leaves = [walk(tree.tree_, row) for tree in model.regressor.estimators_]
        means, variances = np.array(leaves).T
        assert belief.mean[i] == pytest.approx(means.mean())
        assert belief.epistemic[i] == pytest.approx(means.std(), abs=3e-6)
        assert belief.aleatoric[i] == pytest.approx(np.sqrt(variances.mean()))
    assert model.regressor.predict(encoded) == pytest.approx(belief.mean)


def test_extra_trees_belief_is_that_of_trees_split_by_chance(architectures, score):
    rows, told = OneHotRows(), architectures[:40]
    targets = np.array([score(a) for a in told])
    model = Forest(rows, make=random_splits)
    model.fit(told, targets, np.random.default_rng(5))
    encoded = ToldColumns(rows, told)
    plain = ExtraTreesRegressor(
        n_estimators=100, max_features=5 / 6, min_samples_split=3,
        random_state=int(np.random.default_rng(5).integers(2**31)),
    ).fit(encoded(told), targets)  # fmt: skip
    belief = model.believe(architectures[40:])
    assert belief.mean == pytest.approx(plain.predict(encoded(architectures[40:])))
    # each tree saw all rows, so it knows those that stand alone in a leaf to the last digit
    assert model.believe(told).epistemic.mean() < belief.epistemic.mean() / 2


def test_what_is_assumed_moves_the_belief(fitted, architectures):
    model, _ = fitted
    candidate = architectures[50:51]
    before = model.believe(candidate).mean[0]
    model.assume(candidate, np.array([before + 3.0]))
    assert model.believe(candidate).mean[0] > before + 0.5


def test_equal_predictions_do_not_follow_the_order_of_a_table(architectures):
    asked = set()
    for order in (1, -1):
        policy = make_policy("forest", FiniteSpace(architectures[::order]))
        for a in architectures[:6]:
            policy.tell(a, {"glue": 0.5})
        asked.add(policy.ask()[0])
    assert len(asked) == 1


@pytest.mark.parametrize("trees", ["forest", "extra-trees"])
def test_trees_find_better_than_chance(trees, score):
    space = FiniteSpace(load_space("flexibert-test").sample(200, seed=3))
    best = {}
    for name in (trees, "random"):
        best[name] = []
        for seed in range(4):
            policy = make_policy(name, space, seed=seed)
            for _ in range(20):
                (architecture,) = policy.ask()
                policy.tell(architecture, {"glue": score(architecture)})
            best[name].append(max(t.values["glue"] for t in policy.trials()))
    assert np.mean(best[trees]) > np.mean(best["random"])
