"""Every switch of our BOSHNAS changes something, and a wrong one is refused."""

import numpy as np
import pytest

from search_spaces import FiniteSpace, load_space
from search_spaces.errors import PolicyError
from surrogates import make_policy

CHANGES = [
    {"targets": "standard"},
    {"targets": "ranks"},
    {"noise": "constant"},
    {"trend": False},
    {"ends": False},
    {"design": "random"},
    {"model": "networks"},
    {"model": "teacher-student"},
    {"model": "size"},
    {"model": "places"},
    {"first_share": 1.0},
    {"large": 2},
    {"improvement": "noisy"},
]


@pytest.fixture(scope="module")
def table():
    return FiniteSpace(load_space("flexibert-test-fine").sample(120, seed=9), name="table")


def run(space, score, options, asks=9, objectives=None):
    policy = make_policy("boshnas", space, objectives or {"glue": "max"}, options=options)
    rng = np.random.default_rng(0)
    for _ in range(asks):
        (a,) = policy.ask()
        told = {"glue": score(a) + 0.01 * rng.standard_normal()}
        policy.tell(a, told)
    return policy


@pytest.mark.parametrize("options", CHANGES, ids=str)
def test_every_switch_changes_proposals_or_predictions(options, table, score):
    both = {"glue": "max"} | ({"parameters": "min"} if "share" in str(options) else {})
    usual, changed = (run(table, score, o, objectives=both) for o in ({}, options))
    same = [t.architecture.hash for t in usual.trials()] == [
        t.architecture.hash for t in changed.trials()
    ]
    rows = list(table)[:20]
    means = [p.predict(rows)["glue"].mean for p in (usual, changed)]
    # predictions are a second model's, so a switch of the first may show in a batch alone
    batches = [[a.hash for a in p.ask(20)] for p in (usual, changed)]
    assert not (same and np.allclose(*means) and batches[0] == batches[1])


@pytest.mark.parametrize("seed", range(3))
def test_per_second_prefers_what_trains_fast(seed, table):
    def seconds(architecture):
        return 30.0 ** np.mean([np.log2(len(x.heads)) for x in architecture.layers])

    spent = {}
    for flag in (False, True):
        # scores of pure chance leave it to the cost what to try
        rng = np.random.default_rng(seed)
        policy = make_policy("boshnas", table, options={"per_second": flag})
        for a in list(table)[:40]:
            policy.tell(a, {"glue": rng.standard_normal()}, cost=seconds(a))
        spent[flag] = np.mean([seconds(a) for a in policy.ask(10)])
    assert spent[True] < 0.7 * spent[False]


@pytest.mark.parametrize("model", ["networks", "teacher-student"])
def test_networks_learn_and_doubt_less_around_what_is_pending(model, table, score):
    policy = run(table, score, {"model": model}, asks=3)
    rows = list(table)
    for a in [a for a in rows if a.hash not in policy.seen()][:60]:
        policy.tell(a, {"glue": score(a)})
    rest = [a for a in rows if a.hash not in policy.seen()]
    found = policy.predict(rest)["glue"]
    assert np.corrcoef(found.mean, [score(a) for a in rest])[0, 1] > 0.8
    assert (found.epistemic > 0).all()
    assert (found.aleatoric > 0).all()
    assert len({a.hash for a in policy.ask(4)}) == 4


@pytest.mark.parametrize("option", ["targets", "design", "improvement", "noise", "model"])
def test_unknown_choices_are_refused(option, table):
    with pytest.raises(PolicyError, match=f"The option {option} is 'other'; give one of"):
        make_policy("boshnas", table, options={option: "other"})


def test_long_lists_are_scored_completely(score, monkeypatch):
    monkeypatch.setattr("surrogates.candidates.ENUMERATE", 10)
    monkeypatch.setattr("surrogates.policies.model_policy.SCREENED", 30)
    space = FiniteSpace(load_space("flexibert-test").sample(150, seed=2))
    policy = make_policy("boshnas", space, seed=1)
    for a in space.sample(20, seed=0):
        policy.tell(a, {"glue": score(a)})
    asked = policy.ask(12)
    assert len({a.hash for a in asked}) == 12
    left = sorted((score(a) for a in space), reverse=True)
    assert max(map(score, asked)) >= left[5]
