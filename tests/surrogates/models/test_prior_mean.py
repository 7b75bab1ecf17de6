"""A model that begins with a prior expects what it says, and unlearns it where results differ."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from search_spaces import load_space
from search_spaces.errors import PolicyError
from surrogates import make_policy
from surrogates.models.model import Belief, Model
from surrogates.models.prior_mean import DOUBT, SLOPE, AdditivePrior, WithPrior

SPACE = load_space(
    {
        "layers": [1, 2],
        "widths": [32],
        "heads": [1, 2, 4],
        "head_width": 8,
        "operations": {"sa": ["sdp"]},
        "feedforward_widths": [8, 16, 32],
        "feedforward_depths": [1],
    }  # fmt: skip
)
HEADS, INNER = {1: -3.0, 2: -1.0, 4: 0.0}, {8: -2.0, 16: -0.5, 32: 0.0}


def table(**changes):
    of = {
        "base": 0.5,
        "layers": {"1": [1], "2": [0, 1]},
        "without": {"1": -1.0},
        "heads": [{f"sa_sdp*{n}": v * (i + 1) for n, v in HEADS.items()} for i in range(2)],
        "feedforward": [{str(n): v for n, v in INNER.items()} for _ in range(2)],
        "mean": -2.0,
        "deviation": 3.0,
    }
    return of | changes


def added(architecture):
    """A slow twin of the sum."""
    layers = list(architecture.layers)
    places = [1] if len(layers) == 1 else [0, 1]
    total = 0.5 + (-1.0 if len(layers) == 1 else 0.0)
    for place, layer in zip(places, layers, strict=True):
        total += HEADS[len(layer.heads)] * (place + 1) + INNER[layer.feedforward[0]]
    return total


class Zero(Model):
    """Expects nothing, and remembers what it was fitted on."""

    def fit(self, architectures, targets, rng):
        self.targets = targets

    def believe(self, architectures):
        zero = np.zeros(len(architectures))
        return Belief(zero, zero + 1, zero + 0.1)

    def assume(self, architectures, targets):
        self.assumed = targets


def test_parts_add_up():
    sample = SPACE.sample(20, seed=1)
    prior = AdditivePrior(table())
    expected = [added(a) for a in sample]
    assert_allclose([prior.raw(a) for a in sample], expected)
    assert_allclose(prior(sample), (np.array(expected) + 2) / 3)
    # a width that was not measured counts as the others do
    assert AdditivePrior(table(feedforward=[{"9": -1.0, "10": -3.0}] * 2)).raw(sample[0]) < 0


def test_the_slope_is_found_by_results_and_shrunk():
    sample, rng = SPACE.sample(40, seed=2), np.random.default_rng(0)
    prior = AdditivePrior(table())
    known = prior(sample)
    model = WithPrior(Zero(), prior)
    for true in (2.0, 0.0, -1.0):
        model.fit(sample, true * known, rng)
        centred = known - known.mean()
        weight = centred @ centred
        assert model.slope == pytest.approx((true * weight + DOUBT * SLOPE) / (weight + DOUBT))
        assert_allclose(model.model.targets + model.slope * known, true * known)
        assert_allclose(model.believe(sample).mean, model.slope * known)
    model.fit(sample[:1], np.zeros(1), rng)
    assert model.slope == pytest.approx(SLOPE)  # one result says nothing of a slope
    model.assume(sample[:2], model.believe(sample[:2]).mean)
    assert_allclose(model.model.assumed, 0, atol=1e-12)


def regret(policy_options, truth, turns=8, seed=0):
    policy = make_policy(
        "boshnas", SPACE, {"score": "max"}, seed=seed, options={"initial": 2, **policy_options}
    )
    best, found = max(truth(a) for a in SPACE), []
    for _ in range(turns):
        (one,) = policy.ask(1)
        policy.tell(one, {"score": truth(one)})
        found.append(truth(one))
    return best - max(found[2:])


def test_a_good_prior_finds_sooner_and_a_bad_one_is_unlearned():
    wanted = {a.hash: -abs(added(a) + 3.0) for a in SPACE}  # not the largest

    def truth(architecture):
        return wanted[architecture.hash]

    prior = AdditivePrior(table())
    values = np.array([truth(a) for a in SPACE])
    assert np.corrcoef(prior(list(SPACE)), values)[0, 1] < 0.9  # says too little by itself
    for sign in (1.0, -1.0):
        good = [{n: sign * v for n, v in part.items()} for part in table()["heads"]]
        told = table(heads=good, mean=0.0)
        assert regret({"prior": {"score": told}}, truth, turns=14) <= 0.5


def test_a_policy_with_a_prior_is_restored_and_says_what_lacks():
    options = {"prior": {"score": json.loads(json.dumps(table()))}}
    one, other = (
        make_policy("boshnas", SPACE, {"score": "max"}, seed=1, options=options) for _ in range(2)
    )
    for number in range(6):
        (asked,) = one.ask(1)
        one.tell(asked, {"score": added(asked) + number % 2})
    other.load_state_dict(json.loads(json.dumps(one.state_dict(), default=lambda a: a.to_dict())))
    assert [a.hash for a in one.ask(2)] == [a.hash for a in other.ask(2)]
    with pytest.raises(PolicyError, match="prior has no 'base'"):
        make_policy("boshnas", SPACE, {"score": "max"}, seed=1, options={"prior": {"score": {}}})
