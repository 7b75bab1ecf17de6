"""Every registered embedding method keeps the contract of `embed`."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from search_spaces import embed, load_space
from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.vectors.embedding import DISTANCES, Embedding, stress
from search_spaces.vectors.embedding_methods import EMBEDDING_METHODS

SAMPLE = load_space("flexibert-test").sample(200, seed=0)
every_method = pytest.mark.parametrize("method", sorted(EMBEDDING_METHODS))


@every_method
def test_points_are_repeatable_and_by_descending_spread(method):
    before = torch.get_rng_state()
    points = embed(SAMPLE[:60], 5, method=method)
    assert points.shape == (60, 5)
    assert points.dtype == np.float64
    assert (embed(SAMPLE[:60], 5, method=method) == points).all()
    assert (np.diff(points.std(axis=0)) <= 1e-9).all()
    assert_allclose(points.mean(axis=0), 0, atol=1e-5)
    assert (torch.get_rng_state() == before).all()


@every_method
def test_small_and_degenerate_sets(method):
    assert_allclose(embed(SAMPLE[:1], 3, method=method), [[0, 0, 0]], atol=1e-9)
    pair = embed(SAMPLE[:2], 4, method=method)
    asked = DISTANCES["blocks"](SAMPLE[:2])(SAMPLE[:2])
    assert cdist(pair, pair)[0, 1] == pytest.approx(asked[0, 1], rel=1e-3)
    same = embed([SAMPLE[0]] * 3, 2, method=method)
    assert np.abs(cdist(same, same)).max() < 0.1
    with pytest.raises(InvalidSpace, match="0 architectures in 4 dimensions"):
        embed([], 4, method=method)


def test_classical_is_the_embedding_itself():
    assert (embed(SAMPLE, 6) == Embedding(SAMPLE, 6).vectors).all()


@pytest.mark.parametrize("distance", sorted(DISTANCES))
def test_gradient_descent_has_at_most_the_stress_of_classical_scaling(distance):
    asked = DISTANCES[distance](SAMPLE)(SAMPLE)
    found = {
        m: stress(embed(SAMPLE, 16, method=m, distance=distance), asked) for m in EMBEDDING_METHODS
    }
    assert found["gradient-descent"] < found["classical"] < 0.2


def test_gradient_descent_recovers_a_plane(monkeypatch):
    points = np.random.default_rng(0).standard_normal((700, 2)) * [30, 10]
    place = dict(zip(load_space("flexibert-test").sample(700), points, strict=True))

    def measure(references):
        return lambda given: cdist(*([place[a] for a in side] for side in (given, references)))

    monkeypatch.setitem(DISTANCES._entries, "plane", measure)
    # more points than one step looks at; in two dimensions some get stuck behind others
    found = embed(list(place), 5, method="gradient-descent", distance="plane", seed=1)
    assert stress(found, cdist(points, points)) < 1e-2


def test_what_gradient_descent_cannot_place():
    with pytest.raises(InvalidSpace, match="with landmarks=20: .* Use method='classical'"):
        embed(SAMPLE, 4, method="gradient-descent", landmarks=20)
    with pytest.raises(InvalidSpace, match="10,001 architectures"):
        embed([SAMPLE[0]] * 10_001, 4, method="gradient-descent")
    with pytest.raises(UnknownName, match="'gradient'. Did you mean 'gradient-descent'"):
        embed(SAMPLE, 4, method="gradient")
