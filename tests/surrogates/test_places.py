"""The model of places: gaps against the obvious way, learned relevance, gradients, the warp."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from search_spaces import FiniteSpace, load_space
from surrogates.boshnas.place_kernel import PlaceByPlace
from surrogates.features.columns import Featurizer
from surrogates.features.places import ATTRIBUTES, PlaceFeatures
from surrogates.models.evidence import Evidence
from surrogates.models.gaussian_process import SumKernelGP
from surrogates.models.warping import ArcsinhWarp


@pytest.fixture(scope="module")
def architectures():
    return load_space("flexibert-test-fine").sample(120, seed=4)


@pytest.fixture(scope="module")
def places(architectures):
    return PlaceFeatures(Featurizer(FiniteSpace(architectures)))


def kernels(places):
    return PlaceByPlace(places.sizes, places.groups)


def test_gaps_are_shares_of_places_that_differ(architectures, places):
    gaps = kernels(places).gaps(places(architectures))
    longest = max(len(a.layers) for a in architectures)
    at = [[int((g + 0.5) / longest * len(a.layers)) for g in range(longest)] for a in architectures]
    heads = ATTRIBUTES.index("heads")
    for i, j in ((0, 1), (2, 30), (7, 90)):
        a, b = (
            [len(architectures[k].layers[p].heads) for p in at[k]] for k in (i, j)
        )  # two values in this space
        assert gaps[heads, i, j] == pytest.approx(np.mean(np.array(a) != np.array(b)))
        deep = len(architectures[i].layers) != len(architectures[j].layers)
        assert gaps[ATTRIBUTES.index("depth"), i, j] == pytest.approx(float(deep))


def test_kernels_of_gaps_are_the_kernels_of_rows(architectures, places):
    rows = places(architectures[:20])
    relevance = np.linspace(0.2, 2, len(ATTRIBUTES))
    untuned = kernels(places)
    of_gaps = untuned.of_gaps(rows, untuned.gaps(rows), relevance)
    tuned = untuned.tuned(relevance)
    assert np.allclose(of_gaps, tuned.cross(rows, rows))
    weights = np.array([0.7, 0.2, 1.3])
    summed = np.tensordot(weights, tuned.cross(rows, rows), 1)
    assert np.allclose(tuned.weighted(weights, rows, rows), summed)
    assert np.allclose(np.diagonal(of_gaps, axis1=1, axis2=2), untuned.diagonal(rows))


def test_the_slope_of_the_evidence_is_that_of_differences(architectures, places):
    rows, untuned = places(architectures[:25]), kernels(places)
    gaps = untuned.gaps(rows)
    attributes, kinds = len(gaps), len(untuned.weights)
    length = attributes + kinds + 1 + places.sizes
    evidence = Evidence(
        np.random.default_rng(1).standard_normal(25),
        lambda relevance: untuned.of_gaps(rows, gaps, relevance),
        rows[:, : places.sizes],
        np.zeros(length),
        np.ones(length),
        gaps,
        untuned.acts,
    )
    at = np.random.default_rng(2).normal(0, 0.5, length)
    assert check_grad(lambda x: evidence(x)[0], lambda x: evidence(x)[1], at) < 1e-4


def test_what_decides_the_score_is_found_relevant(architectures, places):
    heads = np.array([np.mean([len(x.heads) > 2 for x in a.layers]) for a in architectures])
    targets = (heads - heads.mean()) / heads.std()
    model = SumKernelGP(places, kernels(places))
    model.fit(architectures, targets, np.random.default_rng(0))
    relevance = dict(zip(ATTRIBUTES, model.kernels._relevance, strict=True))
    assert relevance["heads"] > 3 * max(relevance["operations"], relevance["deep"])


def test_the_arcsinh_warp_keeps_order_and_comes_back():
    values = np.append(np.random.default_rng(0).normal(70, 3, 60), [20.0, 35.0])
    warp = ArcsinhWarp(values)
    assert np.array_equal(np.argsort(warp.scores), np.argsort(values))
    assert np.allclose(warp.invert(warp.scores), values)
    assert warp.scores.mean() == pytest.approx(0)
    assert warp.scores.std() == pytest.approx(1)
    assert warp.scores.min() > -4 > ((values - values.mean()) / values.std()).min()
    same = ArcsinhWarp(np.array([5.0, 5.0]))
    assert np.allclose(same.invert(same.scores), 5.0)
    mean, spread = warp.moments(np.array([0.3]), np.array([0.2]))
    draws = warp.invert(0.3 + 0.2 * np.random.default_rng(1).standard_normal(200_000))
    assert mean[0] == pytest.approx(draws.mean(), rel=1e-3)
    assert spread[0] == pytest.approx(draws.std(), rel=0.02)
