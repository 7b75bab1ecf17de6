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


def numbers(layer):
    stack = layer.feedforward
    return {
        "width": np.log2(layer.width),
        "heads": np.log2(len(layer.heads)),
        "wide": np.mean(np.log2(stack)),
        "deep": len(stack),
    }


def apart(a, b, attribute, values):
    """Return the gap of two layers in one attribute, the obvious way."""
    if attribute in values:
        # the share of the steps between the values of the space that lie between the two
        rank = [values[attribute].index(round(numbers(x)[attribute], 9)) for x in (a, b)]
        return abs(rank[0] - rank[1]) / (len(values[attribute]) - 1)
    names = [
        [head.kind if attribute == "kinds" else head.operation for head in x.heads] for x in (a, b)
    ]
    shared = sum(
        np.sqrt(names[0].count(n) / len(names[0]) * names[1].count(n) / len(names[1]))
        for n in set(names[0])
    )
    return 1 - shared


def test_gaps_are_means_over_places_of_how_layers_differ():
    space = load_space("flexibert-test")  # nearly all of it has four layers
    architectures = space.sample(60, seed=4, accept=lambda a: len(a) == 2)
    architectures += space.sample(60, seed=4, accept=lambda a: len(a) == 4)
    places = PlaceFeatures(Featurizer(FiniteSpace(architectures)))
    gaps = kernels(places).gaps(places(architectures))
    longest = max(len(a.layers) for a in architectures)
    layers = [layer for a in architectures for layer in a.layers]
    values = {
        name: sorted({round(numbers(layer)[name], 9) for layer in layers})
        for name in ("width", "heads", "deep")
    }
    assert all(2 <= len(found) <= 5 for found in values.values())
    at = [
        [a.layers[int((g + 0.5) / longest * len(a.layers))] for g in range(longest)]
        for a in architectures
    ]
    largest = dict.fromkeys(("depth", "kinds", "operations", *values), 0.0)
    for i, j in ((0, 1), (2, 30), (7, 90), (5, 64), (61, 112), (40, 99)):
        for attribute in largest:
            if attribute == "depth":
                expected = float(len(architectures[i].layers) != len(architectures[j].layers))
            else:
                expected = np.mean(
                    [apart(a, b, attribute, values) for a, b in zip(at[i], at[j], strict=True)]
                )
            assert gaps[ATTRIBUTES.index(attribute), i, j] == pytest.approx(expected)
            largest[attribute] = max(largest[attribute], expected)
    assert all(largest.values())  # each of them was looked at


def test_wider_feed_forwards_are_further_apart(places, architectures):
    gaps = kernels(places).gaps(places(architectures))[ATTRIBUTES.index("wide")]
    wide = np.array([[numbers(x)["wide"] for x in a.layers] for a in architectures])
    apart = np.abs(wide[:, None] - wide[None]).mean(2)  # all are of one depth
    assert np.corrcoef(gaps.ravel(), apart.ravel())[0, 1] > 0.8
    assert not gaps[apart == 0].any()
    assert 0.5 < gaps.max() <= 1


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
