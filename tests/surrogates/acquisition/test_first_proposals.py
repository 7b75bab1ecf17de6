"""Proposals before any result: spread, and for one score large."""

import numpy as np
import pytest

from search_spaces import FiniteSpace, load_space
from surrogates import make_policy
from surrogates.acquisition.first_proposals import LARGEST, Large, most_different
from surrogates.features.columns import Featurizer


@pytest.fixture(scope="module")
def table():
    return FiniteSpace(load_space("flexibert-test-fine").sample(120, seed=9), name="table")


@pytest.fixture(scope="module")
def size(table):
    """How large an architecture is, as the share of the table that is smaller."""
    features = Featurizer(table)
    every = list(table)
    sizes = features(every)[:, : features.sizes].sum(1)
    return {a.hash: float((sizes < own).mean()) for a, own in zip(every, sizes, strict=True)}


def asked(table, n, objectives=None, **options):
    return make_policy("boshnas", table, objectives, options=options).ask(n)


def test_agrees_with_its_definition_candidate_by_candidate(table):
    features, pool = Featurizer(table), list(table)
    mentioned = pool[:4]

    def stretched(a):
        row = features([a])[0]
        return np.concatenate([2 * row[: features.sizes], row[features.sizes :]])

    def nearest(a):
        return min(np.linalg.norm(stretched(a) - stretched(m)) for m in mentioned)

    def bulk(a):
        return features([a])[0, : features.sizes].sum()

    assert most_different(pool, [], features) is max(pool, key=bulk)
    assert most_different(pool, mentioned, features) is max(pool, key=nearest)
    least = np.quantile([bulk(a) for a in pool], 1 - LARGEST)
    largest = [a for a in pool if bulk(a) >= least]
    large = Large(pool, features)
    assert large.members == len(largest)
    assert large.count(pool[:50]) == sum(a in largest for a in pool[:50])
    assert most_different(pool, mentioned, features, large=large) is max(largest, key=nearest)
    # where all large ones are gone it is as large a share of the rest
    small = [a for a in pool if a not in largest]
    least = np.quantile([bulk(a) for a in small], 1 - LARGEST)
    rest = [a for a in small if bulk(a) >= least]
    assert most_different(small, mentioned, features, large=large) is max(rest, key=nearest)


def test_for_one_score_they_are_large_and_differ(table, size):
    sizes = [size[a.hash] for a in asked(table, 8)]
    assert min(sizes) >= 0.74
    assert len(set(sizes)) > 4


@pytest.mark.parametrize(
    "objectives",
    [{"glue": "max", "latency": "min"}, {"loss": "min"}],
    ids=["several objectives", "a minimum"],
)
def test_small_ones_stay_in_where_they_may_be_wanted(objectives, table, size):
    assert min(size[a.hash] for a in asked(table, 8, objectives)) < 0.5


def test_where_something_measured_is_bounded_small_ones_may_be_all_that_is_allowed(table, size):
    bounded = make_policy("boshnas", table, {"glue": "max"}, constraints=("latency_ms<5",))
    assert min(size[a.hash] for a in bounded.ask(8)) < 0.5
    # what can be computed is kept anyway
    counted = make_policy("boshnas", table, {"glue": "max"}, constraints=("parameters<1e9",))
    assert min(size[a.hash] for a in counted.ask(8)) >= 0.74


def test_a_spread_design_looks_at_small_ones(table, size):
    assert min(size[a.hash] for a in asked(table, 8, design="spread")) < 0.5


def test_a_failure_leaves_the_design_as_it_is(table, size):
    policy = make_policy("boshnas", table)
    policy.tell(next(iter(table)), error="diverged")
    assert min(size[a.hash] for a in policy.ask(6)) >= 0.74


def told(table, size, shares, **options):
    """A policy that wants three large ones and was told results of the given sizes."""
    policy = make_policy("boshnas", table, options={"large": 3, **options})
    by_size = sorted(table, key=lambda a: size[a.hash])
    for share in shares:
        policy.tell(by_size[int(share * len(by_size))], {"glue": share})
    return policy


def reasons(policy, n):
    return [policy.explain(a)["reason"] for a in policy.ask(n)]


def test_small_results_do_not_stand_in_for_large_ones(table, size):
    policy = told(table, size, [0.0, 0.1, 0.2, 0.3, 0.9])
    assert reasons(policy, 4) == ["initial"] * 2 + ["optimise"] * 2
    # with another design any result counts
    assert "initial" not in reasons(told(table, size, [0.0, 0.1, 0.2], design="spread"), 2)


def test_four_results_that_fall_with_size_end_the_search_for_large_ones(table, size):
    def reasons_after(values):
        policy = make_policy("boshnas", table, options={"large": 3})
        by_size = sorted(table, key=lambda a: size[a.hash])
        for share, value in zip((0.05, 0.2, 0.35, 0.5), values, strict=False):
            policy.tell(by_size[int(share * len(by_size))], {"glue": value})
        return reasons(policy, 2)

    assert reasons_after([0.1, 0.2, 0.3, 0.4]) == ["initial"] * 2
    assert reasons_after([0.4, 0.3, 0.2, 0.1]) == ["optimise"] * 2
    # three say too little, equal ones nothing
    assert reasons_after([0.4, 0.3, 0.2]) == ["initial"] * 2
    assert reasons_after([0.4] * 4) == ["initial"] * 2


def test_enough_large_results_leave_no_design(table, size):
    assert "initial" not in reasons(told(table, size, [0.87, 0.9, 0.95]), 2)


def test_a_space_with_fewer_large_ones_than_the_design_ends_it(table):
    few = FiniteSpace(list(table)[:8], name="few")
    policy = make_policy("boshnas", few, options={"large": 5})
    found = []
    for _ in range(8):
        (a,) = policy.ask()
        found.append(policy.explain(a)["reason"])
        policy.tell(a, {"glue": len(found)})
    # two are large, and three results come before the model
    assert found == ["initial"] * 3 + ["optimise"] * 5
    assert policy.ask() == []


def test_results_count_and_not_proposals_where_trials_run_side_by_side(table):
    policy = make_policy("boshnas", table, {"glue": "max", "latency_ms": "min"})
    running, found = [*policy.ask(), *policy.ask()], []
    for done in range(4):
        oldest = running.pop(0)
        policy.tell(oldest, {"glue": 0.5 + 0.1 * done, "latency_ms": 2.0 - 0.1 * done})
        running += policy.ask()
        found.append(policy.explain(running[-1])["reason"])
    assert found == ["initial", "initial", "optimise", "optimise"]
