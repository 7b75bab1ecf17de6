import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from search_spaces import Embedding, embed, load_space, pairwise_distances
from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.vectors.embedding import DISTANCES, _axis_scales, _classical, stress

SAMPLE = load_space("flexibert-test").sample(120, seed=1)


@pytest.fixture
def euclidean(monkeypatch):
    """A distance that fits three dimensions exactly."""
    rng = np.random.default_rng(0)
    members = load_space("flexibert-test").sample(400)
    points = dict(zip(members, rng.standard_normal((400, 3)) * [3, 2, 1], strict=True))

    def measure(references):
        def distances(architectures):
            return cdist(*([points[a] for a in side] for side in (architectures, references)))

        return distances

    monkeypatch.setitem(DISTANCES._entries, "euclidean", measure)
    return members, cdist(list(points.values()), list(points.values()))


@pytest.mark.parametrize("landmarks", [None, 20])
def test_euclidean_distances_are_recovered(euclidean, landmarks):
    members, distances = euclidean
    vectors = embed(members, 5, distance="euclidean", landmarks=landmarks)
    assert_allclose(cdist(vectors, vectors), distances, atol=1e-6)
    assert_allclose(vectors[:, 3:], 0)
    assert stress(vectors, distances) < 1e-6
    assert stress(vectors[:, :1], distances) > 0.1


def test_the_iterative_solver_agrees_with_the_dense(euclidean, monkeypatch):
    members, distances = euclidean
    dense = embed(members, 2, distance="euclidean")
    monkeypatch.setattr("search_spaces.vectors.embedding.DENSE", 10)
    assert_allclose(embed(members, 2, distance="euclidean"), dense, atol=1e-6)


@pytest.mark.parametrize("distance", sorted(DISTANCES))
def test_contract_of_every_distance(distance):
    fitted = Embedding(SAMPLE, 6, distance=distance)
    assert fitted.vectors.shape == (120, 6)
    spread = fitted.vectors.var(axis=0)
    assert (np.diff(spread) <= 1e-9).all()
    assert_allclose(fitted.transform(SAMPLE), fitted.vectors, atol=1e-2)
    assert (embed(SAMPLE, 6, distance=distance) == fitted.vectors).all()
    with_landmarks = embed(SAMPLE, 6, distance=distance, landmarks=40, seed=3)
    assert (with_landmarks == embed(SAMPLE, 6, distance=distance, landmarks=40, seed=3)).all()
    assert with_landmarks.shape == (120, 6)
    asked = DISTANCES[distance](SAMPLE)(SAMPLE)
    found = cdist(fitted.vectors, fitted.vectors)
    assert np.corrcoef(asked.ravel(), found.ravel())[0, 1] > 0.65


def test_more_dimensions_fit_better():
    distances = pairwise_distances(SAMPLE)
    stresses = [stress(embed(SAMPLE, d), distances) for d in (1, 2, 4, 8)]
    assert stresses == sorted(stresses, reverse=True)


def test_the_axes_are_stretched_to_the_least_squares_scales():
    # a slow twin: the scales by a general optimiser on the same weighted squared errors
    points = np.random.default_rng(0).normal(size=(12, 3))
    true = np.array([0.5, 2.0, 1.2])
    scales, order = _axis_scales(points, cdist(points * true, points * true), seed=0)
    assert_allclose(scales, true[order], rtol=1e-6)
    cityblock = cdist(points, points, "cityblock")
    scales, order = _axis_scales(points, cityblock, seed=0)
    rows, columns = np.triu_indices(12, 1)
    parts, asked = np.square(points[rows] - points[columns]), cityblock[rows, columns]

    def loss(squares):
        return np.square((parts @ squares - asked**2) / asked).sum()

    found = minimize(loss, np.ones(3), bounds=[(0, None)] * 3).x
    assert_allclose(scales**2, found[order], rtol=1e-3, atol=1e-6)


def test_stretched_axes_follow_the_distances_better_than_classical_scaling():
    distances = pairwise_distances(SAMPLE)
    points, _ = _classical(np.square(distances), 16)
    assert stress(embed(SAMPLE, 16), distances) < 0.5 * stress(points, distances)


def test_nearest_finds_the_placed_architectures():
    fitted = Embedding(SAMPLE, 16)
    found = fitted.nearest(fitted.vectors, 3)
    assert [row[0] for row in found] == SAMPLE
    gaps = np.linalg.norm(fitted.vectors - fitted.vectors[7], axis=1)
    assert found[7] == [SAMPLE[i] for i in np.argsort(gaps, kind="stable")[:3]]
    assert fitted.nearest(fitted.vectors[0]) == [[SAMPLE[0]]]
    assert len(fitted.nearest(fitted.vectors[0], 500)[0]) == 120


def test_decoding_reaches_architectures_never_placed():
    space = load_space("flexibert-test-fine")
    fitted = Embedding(SAMPLE, 16)
    targets = [a for a in space.sample(10, seed=9) if a not in SAMPLE]
    points = fitted.transform(targets)
    reached = [fitted.decode(point, space) for point in points]
    assert sum(a == b for a, b in zip(reached, targets, strict=True)) >= 3
    start = fitted.nearest(points)
    for found, nearest, point in zip(reached, start, points, strict=True):
        gaps = np.linalg.norm(fitted.transform([found, nearest[0]]) - point, axis=1)
        assert gaps[0] <= gaps[1]
    assert fitted.decode(points[0], space, steps=0) == start[0][0]
    with pytest.raises(InvalidSpace, match="None of the 120 .* is in the space 'flexibert-micro'"):
        fitted.decode(points[0], load_space("flexibert-micro"))


def test_small_and_degenerate_sets():
    assert_allclose(embed(SAMPLE[:1], 3), [[0, 0, 0]])
    pair = embed(SAMPLE[:2], 4)
    assert np.linalg.norm(pair[0] - pair[1]) == pytest.approx(
        pairwise_distances(SAMPLE[:2])[0, 1], rel=1e-5
    )
    assert_allclose(embed([SAMPLE[0]] * 3, 2), np.zeros((3, 2)), atol=1e-6)
    assert stress(np.zeros((2, 1)), np.zeros((2, 2))) == 0.0


def test_what_cannot_be_embedded():
    with pytest.raises(InvalidSpace, match="Cannot embed 0 architectures in 16 dimensions"):
        embed([])
    with pytest.raises(InvalidSpace, match="with 0 landmarks. Give at least one"):
        embed(SAMPLE, landmarks=0)
    with pytest.raises(UnknownName, match="No distance is called 'block'. Did you mean 'blocks'"):
        embed(SAMPLE, distance="block")
