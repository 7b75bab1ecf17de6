"""An average of models believes the one that foretells, and doubts where they disagree."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from search_spaces import FiniteSpace, load_space
from surrogates.boshnas.policy import BoshnasOptions, place_model, size_model
from surrogates.features.columns import Featurizer
from surrogates.features.places import PlaceFeatures
from surrogates.models.gaussian_process import JITTER
from surrogates.models.model_average import ModelAverage

OPTIONS = BoshnasOptions()


@pytest.fixture(scope="module")
def rows():
    return load_space("flexibert-test-fine").sample(60, seed=4)


@pytest.fixture(scope="module")
def features(rows):
    return Featurizer(FiniteSpace(rows, name="table"))


def average(features, odds=(1.0, 1.0)):
    places = place_model(PlaceFeatures(features), OPTIONS, {})
    return ModelAverage([size_model(1, features, OPTIONS), places], odds)


def drawn_from(member, rows, rng):
    """Targets of `rows` as `member` expects them before it is told anything."""
    known = member._features(rows)
    weights = np.array(member.kernels.weights)
    covariance = member.kernels.weighted(weights, known, known) + 0.14 * np.eye(len(rows))
    return member.trend(known) + np.linalg.cholesky(covariance) @ rng.standard_normal(len(rows))


def by_kind(rows, seed=0):
    """Scores that kinds of heads decide, each layer's, and nothing else."""
    rng = np.random.default_rng(seed)
    worth = {}
    scores = [
        sum(worth.setdefault(layer.heads[0].kind, rng.normal()) for layer in a.layers) for a in rows
    ]
    return np.array(scores) / np.std(scores) - np.mean(scores) / np.std(scores)


def test_left_out_is_the_density_given_all_others(rows, features):
    model = size_model(1, features, OPTIONS)
    targets = by_kind(rows[:20])
    model.fit(rows[:20], targets, np.random.default_rng(0))
    covariance = model.kernels.weighted(model.weights, model.rows, model.rows)
    covariance += np.diag(model.noise(model.rows) + JITTER)
    every = multivariate_normal.logpdf(model.residuals, cov=covariance)
    for i, density in enumerate(model.left_out()):
        others = np.delete(np.arange(20), i)
        rest = multivariate_normal.logpdf(
            model.residuals[others], cov=covariance[np.ix_(others, others)]
        )
        assert density == pytest.approx(every - rest, abs=1e-6)


def test_the_model_that_results_were_drawn_from_gets_the_say(rows, features):
    shares = np.empty((2, 12))
    for source in range(2):
        for seed in range(12):
            model = average(features)
            targets = drawn_from(model.members[source], rows[:40], np.random.default_rng(seed))
            model.fit(rows[:40], targets, np.random.default_rng(0))
            shares[source, seed] = model.shares[source]
            assert model.shares.sum() == pytest.approx(1)
    assert (np.median(shares, axis=1) > 0.7).all(), shares


def test_odds_count_before_anything_else(rows, features):
    few, targets = rows[:3], by_kind(rows[:3])
    even, odd = average(features), average(features, (10.0, 1.0))
    for model in (even, odd):
        model.fit(few, targets, np.random.default_rng(0))
    ratio = [m.shares[0] / m.shares[1] for m in (even, odd)]
    assert ratio[1] == pytest.approx(10 * ratio[0])


def test_belief_has_the_moments_of_the_mixture(rows, features):
    model = average(features, (1.0, 2.0))
    model.fit(rows[:15], by_kind(rows[:15]), np.random.default_rng(0))
    belief = model.believe(rows[40:])
    rng = np.random.default_rng(2)
    member = rng.choice(2, size=200_000, p=model.shares)
    beliefs = [m.believe(rows[40:]) for m in model.members]
    for k in range(3):
        mean, spread = (
            np.array([getattr(b, name)[k] for b in beliefs])[member]
            for name in ("mean", "epistemic")
        )
        drawn = rng.normal(mean, spread)
        assert belief.mean[k] == pytest.approx(drawn.mean(), abs=0.02)
        assert belief.epistemic[k] == pytest.approx(drawn.std(), rel=0.02)


def test_joint_belief_has_the_moments_of_the_mixture(rows, features):
    model = average(features, (1.0, 2.0))
    model.fit(rows[:15], by_kind(rows[:15]), np.random.default_rng(0))
    asked = rows[40:43]
    joint = model.covariance(asked)
    assert np.diag(joint) == pytest.approx(model.believe(asked).epistemic ** 2)
    rng = np.random.default_rng(2)
    drawn = np.concatenate(
        [
            rng.multivariate_normal(
                m.believe(asked).mean, m.covariance(asked), int(share * 200_000)
            )
            for m, share in zip(model.members, model.shares, strict=True)
        ]
    )
    assert joint == pytest.approx(np.cov(drawn.T), abs=0.02)
    assert np.abs(joint - np.diag(np.diag(joint))).max() > 0.1


def test_assuming_what_is_expected_moves_no_mean(rows, features):
    model = average(features)
    model.fit(rows[:20], by_kind(rows[:20]), np.random.default_rng(0))
    before = model.believe(rows[30:])
    model.assume(rows[20:22], model.believe(rows[20:22]).mean)
    after = model.believe(rows[30:])
    assert np.allclose(before.mean, after.mean, atol=1e-8)
    assert (after.epistemic <= before.epistemic + 1e-8).all()


def test_following_believes_one_member_in_its_tempered_share_and_then_all_again(rows, features):
    model = average(features, (4.0, 1.0))
    model.fit(rows[:3], by_kind(rows[:3]), np.random.default_rng(0))
    whole, rng = model.believe(rows[40:]).mean, np.random.default_rng(1)
    each = [m.believe(rows[40:]).mean for m in model.members]
    followed = []
    for _ in range(400):
        model.follow(rng)
        mean = model.believe(rows[40:]).mean
        followed.append(next(i for i, own in enumerate(each) if np.array_equal(own, mean)))
    tempered = np.sqrt(model.shares) / np.sqrt(model.shares).sum()
    assert np.bincount(followed) / 400 == pytest.approx(tempered, abs=0.07)
    model.follow(None)
    assert np.array_equal(model.believe(rows[40:]).mean, whole)


def test_what_is_assumed_is_known_to_members_that_are_drawn_later(rows, features):
    model, rng = average(features), np.random.default_rng(3)
    model.fit(rows[:15], by_kind(rows[:15]), np.random.default_rng(0))
    model.follow(rng)
    model.assume(rows[40:42], np.zeros(2))
    for member in model.members:
        assert (member.believe(rows[40:42]).epistemic < 0.6).all()
