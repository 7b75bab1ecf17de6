"""The Gaussian process: features against the obvious way, noise that depends on size, gradients."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from search_spaces import FiniteSpace, count_parameters, load_space
from surrogates.boshnas.kernels import SizeAndContent
from surrogates.features.columns import Featurizer
from surrogates.models.evidence import Evidence
from surrogates.models.gaussian_process import SumKernelGP
from surrogates.models.warping import RankWarp, Standardise


@pytest.fixture(scope="module")
def architectures():
    return load_space("flexibert-test-fine").sample(240, seed=4)


def test_features_of_layers_add_up_to_those_of_architectures(architectures):
    features = Featurizer(FiniteSpace(architectures))
    raw = features._raw(architectures)
    whole = [count_parameters(a, vocabulary_size=1, max_length=1) for a in architectures]
    assert np.allclose(2 ** raw[:, 2], whole, rtol=1e-12)
    heads = 3 + features.kinds.index("c_5")
    shares = [
        np.mean([sum(h.kind == "c_5" for h in x.heads) / len(x.heads) for x in a.layers])
        for a in architectures
    ]
    assert np.allclose(raw[:, heads], shares)
    last = [
        np.log2(len(a.layers[-1].heads)) - np.mean([np.log2(len(x.heads)) for x in a.layers])
        for a in architectures
    ]
    assert np.allclose(raw[:, -6], last)


def test_rows_do_not_depend_on_what_else_is_asked(architectures, monkeypatch):
    features = Featurizer(FiniteSpace(architectures))
    together = features(architectures)
    monkeypatch.setattr("surrogates.features.columns.CHUNK", 7)
    assert np.array_equal(features(architectures), together)
    assert np.array_equal(features(architectures[5:6])[0], together[5])
    assert features([]).shape == (0, together.shape[1])


def test_noise_that_depends_on_size_is_found(architectures):
    features = Featurizer(FiniteSpace(architectures))
    rows, rng = features(architectures), np.random.default_rng(0)
    small = rows[:, 2] < np.median(rows[:, 2])
    spread = np.where(small, 0.8, 0.1)
    targets = rows[:, 1] + spread * rng.standard_normal(len(rows))
    model = SumKernelGP(features, SizeAndContent(3), noise_features=lambda x: x[:, :3])
    model.fit(architectures, targets, rng)
    found = model.believe(architectures).aleatoric
    assert found[small].mean() == pytest.approx(0.8, rel=0.4)
    assert found[~small].mean() < 0.4 * found[small].mean()


def test_without_noise_features_the_noise_is_one_number(architectures):
    features = Featurizer(FiniteSpace(architectures))
    model = SumKernelGP(features, SizeAndContent(3))
    model.fit(architectures[:40], np.linspace(-1, 1, 40), np.random.default_rng(0))
    assert len(set(model.believe(architectures).aleatoric.tolist())) == 1


def test_gradient_of_the_fit(architectures):
    rows = Featurizer(FiniteSpace(architectures))(architectures[:25])
    parts, causes = SizeAndContent(3).cross(rows, rows), rows[:, :3]
    residuals = np.random.default_rng(1).standard_normal(25)
    prior, spread = np.full(9, -1.0), np.full(9, 0.8)
    none = np.empty((0, 25, 25)), np.empty((5, 0))
    evidence = Evidence(residuals, lambda relevance: parts, causes, prior, spread, *none)
    point = np.random.default_rng(2).normal(-1, 0.3, 9)
    assert check_grad(lambda x: evidence(x)[0], lambda x: evidence(x)[1], point) < 1e-4


def test_belief_and_covariance_agree_and_chunks_do_not_matter(architectures, monkeypatch):
    features = Featurizer(FiniteSpace(architectures))
    model = SumKernelGP(features, SizeAndContent(3))
    model.fit(architectures[:30], np.sin(np.arange(30.0)), np.random.default_rng(0))
    asked = architectures[30:60]
    belief = model.believe(asked)
    assert np.allclose(np.sqrt(np.diag(model.covariance(asked))), belief.epistemic)
    monkeypatch.setattr("surrogates.models.gaussian_process.CHUNK", 7)
    again = model.believe(asked)
    assert np.allclose(again.mean, belief.mean)
    assert np.allclose(again.epistemic, belief.epistemic)


def test_weighted_kernels_are_the_weighted_sum(architectures):
    rows = Featurizer(FiniteSpace(architectures))(architectures[:60])
    kernels, weights = SizeAndContent(3), np.array([0.3, 0.1, 0.7, 0.2, 0.5])
    parts = kernels.cross(rows[:20], rows[20:])
    summed = np.tensordot(weights, parts, 1)
    assert np.allclose(kernels.weighted(weights, rows[:20], rows[20:]), summed)
    whole = np.diagonal(kernels.cross(rows, rows), axis1=1, axis2=2)
    assert np.allclose(kernels.diagonal(rows), whole)


def test_assuming_what_is_expected_removes_doubt_and_keeps_the_mean(architectures):
    model = SumKernelGP(Featurizer(FiniteSpace(architectures)), SizeAndContent(3))
    model.fit(architectures[:30], np.cos(np.arange(30.0)), np.random.default_rng(0))
    pending = architectures[30:32]
    before = model.believe(pending)
    model.assume(pending, before.mean)
    after = model.believe(pending)
    assert np.allclose(after.mean, before.mean)
    assert (after.epistemic < before.epistemic).all()


@pytest.mark.parametrize("warp", [Standardise, RankWarp])
def test_warps_keep_order_and_find_the_way_back(warp):
    values = np.array([3.0, 1.0, 2.0, 10.0, 2.5])
    warped = warp(values)
    assert (np.argsort(warped.scores) == np.argsort(values)).all()
    assert np.allclose(warped.invert(warped.scores), values)
    mean, spread = warped.moments(warped.scores, np.full(5, 1e-6))
    assert np.allclose(mean, values, atol=1e-4)
    assert (spread < 1e-4).all()
    assert np.isfinite(warp(np.ones(3)).moments(np.zeros(2), np.ones(2))).all()


def test_moments_of_ranks_equal_monte_carlo():
    warped = RankWarp(np.random.default_rng(0).exponential(size=40))
    draws = warped.invert(0.3 + 0.7 * np.random.default_rng(1).standard_normal(200_000))
    mean, spread = warped.moments(np.array([0.3]), np.array([0.7]))
    assert mean[0] == pytest.approx(draws.mean(), rel=0.05)
    assert spread[0] == pytest.approx(draws.std(), rel=0.1)
