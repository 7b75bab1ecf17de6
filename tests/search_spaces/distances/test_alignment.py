from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose

from search_spaces import graph_edit_distance, load_space, pairwise_distances
from search_spaces.distances.alignment import StepCosts, align_all, by_length
from search_spaces.distances.alignment_kernels import TILE
from search_spaces.distances.block_costs import BlockCosts
from search_spaces.distances.distance import COSTS
from search_spaces.distances.known_layers import KnownLayers
from search_spaces.errors import UnknownName


def numpy_alignment(sequence, codes, costs):
    """Slow twin of the compiled loops: both states of Gotoh, one numpy line for each of them."""
    insert = costs.insert[codes]
    reopen = np.zeros_like(costs.match) if costs.reopen is None else costs.reopen
    never = np.full(codes.shape[1], np.inf)
    matched, gapped = [np.zeros_like(never)], [never]
    for row in insert:
        gapped.append(np.minimum(matched[-1], gapped[-1]) + row)
        matched.append(never)
    for item in sequence:
        last, last_gapped = matched, gapped
        matched = [never]
        gapped = [np.minimum(last[0], last_gapped[0]) + costs.remove[item]]
        for j, code in enumerate(codes):
            again = last_gapped[j] + reopen[item, code]
            removed = np.minimum(last[j + 1], last_gapped[j + 1]) + costs.remove[item]
            inserted = np.minimum(matched[j], gapped[j]) + insert[j]
            matched.append(np.minimum(last[j], again) + costs.match[item, code])
            gapped.append(np.minimum(removed, inserted))
    return np.minimum(matched[-1], gapped[-1] + costs.end)


def random_costs(rng, items, others, *, reopening):
    return StepCosts(
        rng.random((items, others)) * 3,
        rng.random(items) * 2,
        rng.random(others) * 2,
        rng.random((items, others)) if reopening else None,
        0.7 if reopening else 0.0,
    )


@pytest.mark.parametrize("reopening", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_loops_agree_with_numpy(reopening, dtype):
    rng = np.random.default_rng(1)
    costs = random_costs(rng, 30, 40, reopening=reopening)
    # more than one tile of one length, more than one block of rows
    first = [rng.integers(30, size=n).tolist() for n in rng.integers(1, 13, 70)]
    second = [rng.integers(40, size=5).tolist() for _ in range(TILE + 9)]
    second += [rng.integers(40, size=n).tolist() for n in (0, 1, 12)]
    grouped = by_length(second)
    expected = np.zeros((len(first), len(second)))
    for row, sequence in enumerate(first):
        for columns, codes in grouped:
            expected[row, columns] = numpy_alignment(sequence, codes, costs)
    parts = [costs.match, costs.remove, costs.insert, costs.reopen]
    typed = StepCosts(*(None if x is None else x.astype(dtype) for x in parts), costs.end)
    found = align_all(first, grouped, typed)
    assert found.dtype == dtype
    assert_allclose(found, expected, rtol=1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("reopening", [False, True])
def test_symmetric_sets_need_half_of_the_pairs(reopening):
    rng = np.random.default_rng(2)
    costs = random_costs(rng, 9, 9, reopening=reopening)
    parts = (costs.match, costs.remove, costs.remove, costs.reopen)
    same = StepCosts(*(x if x is None or x.ndim == 1 else x + x.T for x in parts), costs.end)
    np.fill_diagonal(same.match, 0)
    sequences = [rng.integers(9, size=n).tolist() for n in rng.integers(1, 5, 150)]
    whole = align_all(sequences, by_length(sequences), same)
    half = align_all(sequences, by_length(sequences), same, symmetric=True)
    others = ~np.eye(len(sequences), dtype=bool)
    assert_allclose(half[others], whole[others])


def ordered(a, b, costs):
    return graph_edit_distance(a, b, costs, method="ordered")


def distance(known, a, b):
    return known.distance(a, b, a.hash, b.hash)


@pytest.mark.parametrize("name", sorted(COSTS))
def test_single_pairs_agree_with_many_while_layers_are_forgotten(name, monkeypatch):
    monkeypatch.setattr("search_spaces.distances.known_layers.LAYERS", 12)
    sample = load_space("flexibert-test-finest").sample(25, seed=3)
    known = KnownLayers(COSTS[name]().steps)
    expected = pairwise_distances(sample, costs=name)
    pairs = np.random.default_rng(0).integers(len(sample), size=(200, 2))
    for i, j in pairs:
        assert distance(known, sample[i], sample[j]) == pytest.approx(expected[i, j])
    assert len(known._known.layers) <= 12


def test_single_pairs_from_many_threads(monkeypatch):
    monkeypatch.setattr("search_spaces.distances.known_layers.LAYERS", 16)
    sample = load_space("flexibert-test-finest").sample(40, seed=4)
    expected = pairwise_distances(sample)
    known = KnownLayers(BlockCosts().steps)
    pairs = np.random.default_rng(1).integers(len(sample), size=(600, 2))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda ij: distance(known, sample[ij[0]], sample[ij[1]]), pairs))
    assert_allclose(found, expected[pairs[:, 0], pairs[:, 1]])


def test_single_pairs_with_costs_of_ones_own():
    class Unhashable:
        __hash__ = None
        steps = BlockCosts(width=3.0).steps

    a, b = load_space("flexibert-test").sample(2, seed=6)
    expected = ordered(a, b, BlockCosts(width=3.0))
    assert ordered(a, b, Unhashable()) == expected
    assert ordered(a, b, BlockCosts()) == ordered(a, b, "blocks") != expected
    with pytest.raises(UnknownName):
        graph_edit_distance(a, a, "block")
