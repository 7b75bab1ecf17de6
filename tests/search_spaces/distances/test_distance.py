from itertools import product

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linear_sum_assignment

from search_spaces import (
    Architecture,
    graph_edit_distance,
    load_space,
    named_architecture,
    pairwise_distances,
)
from search_spaces.distances.alignment import StepCosts, align_all, by_length
from search_spaces.distances.block_costs import BlockCosts
from search_spaces.distances.distance import COSTS, EditDistances
from search_spaces.distances.published_costs import PublishedCosts
from search_spaces.errors import InvalidArchitecture, UnknownName
from search_spaces.vectors.weisfeiler_lehman import (
    weisfeiler_lehman_distances,
    weisfeiler_lehman_kernel,
)

every_cost = pytest.mark.parametrize("costs", sorted(COSTS))


def one_layer(operation, parameter, heads, stack, width=128):
    return Architecture.from_dict(
        {"l": 1, "o": [operation], "p": [parameter], "h": [width], "n": [heads], "f": [stack]}
    )


def least_alignment(a, b, costs):
    """Slow twin of the dynamic programme: try every alignment."""
    best = np.inf

    def extend(i, j, cost, *, matched):
        nonlocal best
        if cost >= best:
            return
        if i == len(a) and j == len(b):
            best = min(best, cost + (0 if matched else costs.end))
        if i < len(a):
            extend(i + 1, j, cost + costs.remove[a[i]], matched=False)
        if j < len(b):
            extend(i, j + 1, cost + costs.insert[b[j]], matched=False)
        if i < len(a) and j < len(b):
            extra = 0 if matched or costs.reopen is None else costs.reopen[a[i], b[j]]
            extend(i + 1, j + 1, cost + costs.match[a[i], b[j]] + extra, matched=True)

    extend(0, 0, 0.0, matched=True)
    return best


@pytest.mark.parametrize("reopening", [False, True])
def test_alignment_agrees_with_trying_every_one(reopening):
    rng = np.random.default_rng(0)
    costs = StepCosts(
        rng.random((5, 4)) * 3,
        rng.random(5) * 2,
        rng.random(4) * 2,
        rng.random((5, 4)) if reopening else None,
        0.7 if reopening else 0.0,
    )
    first = [rng.integers(5, size=n).tolist() for n in (1, 2, 3, 4, 4)]
    second = [rng.integers(4, size=n).tolist() for n in (3, 1, 4, 2, 3, 0)]
    expected = [[least_alignment(a, b, costs) for b in second] for a in first]
    assert_allclose(align_all(first, by_length(second), costs), expected)
    assert_allclose(align_all(second, by_length(first), costs.swapped()).T, expected)


def naive_heads(a, b, costs):
    """Slow twin of the transport distance: split heads to a common number and assign."""
    copies = np.lcm(len(a.heads), len(b.heads))
    sides = [[h for h in x.heads for _ in range(copies // len(x.heads))] for x in (a, b)]
    table = np.array(
        [
            [
                0.0
                if x.kind == y.kind
                else costs.parameter
                if x.operation == y.operation
                else costs.operation
                for y in sides[1]
            ]
            for x in sides[0]
        ]
    )
    rows, columns = linear_sum_assignment(table)
    more = abs(np.log2(len(a.heads) / len(b.heads)))
    return table[rows, columns].mean() + costs.heads * more


def naive_stack(a, b, costs):
    def octaves(x, y):
        return costs.feedforward * abs(np.log2(x / y))

    table = np.zeros((len(a) + 1, len(b) + 1))
    for i, j in product(range(len(a) + 1), range(len(b) + 1)):
        options = [0.0] if i == j == 0 else []
        options += [table[i - 1, j] + costs.depth] if i else []
        options += [table[i, j - 1] + costs.depth] if j else []
        options += [table[i - 1, j - 1] + octaves(a[i - 1], b[j - 1])] if i and j else []
        table[i, j] = min(options)
    return table[-1, -1]


def test_layer_costs_agree_with_optimal_matching():
    costs = BlockCosts()
    layers = [x.layers[0] for x in load_space("flexibert-2").sample(12)]
    layers += [named_architecture("bert-tiny").layers[0]]
    expected = [
        [
            naive_heads(a, b, costs)
            + naive_stack(a.feedforward, b.feedforward, costs)
            + costs.width / 2 * abs(np.log2(a.width / b.width))
            + costs.width / 2 * abs(np.log2(a.inner_width / b.inner_width))
            for b in layers
        ]
        for a in layers
    ]
    assert_allclose(costs.between(layers, layers), expected, atol=1e-12)


def test_block_costs_mean_what_they_say():
    costs = BlockCosts()
    start = one_layer("sa", "sdp", 2, [512])

    def to(*choices):
        return graph_edit_distance(start, one_layer(*choices))

    assert to("sa", "wma", 2, [512]) == pytest.approx(costs.parameter)
    assert to("l", "dct", 2, [512]) == pytest.approx(costs.operation)
    assert to("sa", "sdp", 4, [512]) == pytest.approx(costs.heads)
    assert to("sa", "sdp", 2, [512], 256) == pytest.approx(costs.width)
    assert to("sa", "sdp", 2, [1024]) == pytest.approx(min(costs.feedforward, 2 * costs.depth))
    assert to("sa", "sdp", 2, [512, 512]) == pytest.approx(costs.depth)
    twice = Architecture(start.layers * 2)
    assert graph_edit_distance(start, twice) == pytest.approx(costs.layer)
    double = BlockCosts(layer=2 * costs.layer)
    assert graph_edit_distance(start, twice, double) == pytest.approx(2 * costs.layer)


@every_cost
def test_distances_are_a_metric(costs):
    sample = load_space("flexibert-test-finest").sample(60)
    if costs == "blocks":
        sample += load_space("flexibert-2").sample(15)
    sample += load_space("flexibert-test").sample(10)
    distances = pairwise_distances(sample, costs=costs)
    assert (distances == distances.T).all()
    assert (np.diag(distances) == 0).all()
    others = ~np.eye(len(sample), dtype=bool)
    assert distances[others].min() > 1e-3
    if costs == "blocks":
        for through in range(len(sample)):
            detour = distances[:, [through]] + distances[[through]]
            assert (distances <= detour + 1e-9).all()


@every_cost
def test_zero_for_another_order_of_heads(costs):
    a, b = (
        Architecture.from_dict({"l": 1, "o": [heads], "h": [128], "f": [[512]]})
        for heads in (["sa_sdp_64", "l_dct_64"], ["l_dct_64", "sa_sdp_64"])
    )
    assert graph_edit_distance(a, b, costs) == 0
    assert pairwise_distances([a], [b], costs)[0, 0] == 0


@every_cost
def test_many_pairs_agree_with_single_pairs(costs):
    sample = load_space("flexibert-test").sample(6, seed=4)
    table = pairwise_distances(sample, costs=costs)
    assert_allclose(pairwise_distances(sample, list(sample), costs), table)
    prepared = EditDistances(sample[:2], costs)
    assert_allclose(prepared.to(sample), table[:, :2])
    assert_allclose(prepared.to(sample[:1]), table[:1, :2])
    assert_allclose(pairwise_distances(sample, costs=costs, dtype=np.float32), table, rtol=1e-6)
    for i, j in product(range(6), range(6)):
        single = graph_edit_distance(sample[i], sample[j], costs, method="ordered")
        assert single == pytest.approx(table[i, j])


def test_nothing_to_compare_and_progress(monkeypatch):
    monkeypatch.setattr("search_spaces.distances.alignment.ROWS", 2)
    sample = load_space("flexibert-test").sample(3)
    assert pairwise_distances([], sample).shape == (0, 3)
    assert pairwise_distances(sample, []).shape == (3, 0)
    assert pairwise_distances([]).shape == (0, 0)
    seen = []
    pairwise_distances(sample, progress=seen.append)
    assert seen == [2, 3]
    # columns, where these are fewer
    pairwise_distances(sample, sample[:1], progress=seen.append)
    assert seen == [2, 3, 1]


def networkx_distance(a, b, timeout):
    positions = PublishedCosts().positions
    return nx.graph_edit_distance(
        a.graph(),
        b.graph(),
        node_subst_cost=lambda x, y: abs(positions[x["published"]] - positions[y["published"]]),
        node_del_cost=lambda x: positions[x["published"]],
        node_ins_cost=lambda x: positions[x["published"]],
        edge_del_cost=lambda x: 0.1,
        edge_ins_cost=lambda x: 0.1,
        timeout=timeout,
    )


def test_published_distance_agrees_with_networkx():
    small = [
        one_layer("sa", "sdp", 2, [512]),
        one_layer("l", "dct", 2, [1024]),
        one_layer("c", 5, 2, [512], 256),
        one_layer("sa", "wma", 2, [512, 512, 512]),
    ]
    for i, a in enumerate(small):
        for b in small[:i]:
            expected = pytest.approx(networkx_distance(a, b, None))
            assert graph_edit_distance(a, b, "published") == expected
            assert graph_edit_distance(a, b, "published", method="search") == expected
            assert graph_edit_distance(b, a, "published", method="exact") == expected
            assert graph_edit_distance(a, b, "published", method="ordered") == expected


def two_layers(first, second):
    return Architecture((*one_layer(*first).layers, *one_layer(*second).layers))


def test_published_distance_moves_heads_between_layers():
    attention, transform = ("sa", "sdp", 2, [512]), ("l", "dct", 2, [512])
    a, b = two_layers(attention, transform), two_layers(transform, attention)
    ordered = graph_edit_distance(a, b, "published", method="ordered")
    # at most: all four heads change places and lose and gain two edges each
    best = graph_edit_distance(a, b, "published")
    assert best == pytest.approx(1.4)
    assert graph_edit_distance(a, b, "published", method="search") == best
    # in order, each of the four heads is relabelled over four places of the list instead
    assert ordered == pytest.approx(16)


def test_published_bounds_are_in_order():
    space = load_space("flexibert-test")
    two = [space.architecture_at(index) for index in (3, 40, 77, 90)]
    for a, b in zip(two, two[1:], strict=False):
        values = [
            graph_edit_distance(a, b, "published", method=m) for m in ("exact", "search", "ordered")
        ]
        assert values == sorted(values)
        assert graph_edit_distance(a, b, "published") == values[0]
    a, b = space.sample(2, seed=5)
    first = networkx_distance(a, b, 1.0)
    assert graph_edit_distance(a, b, "published") <= first + 1e-9


def test_published_positions():
    positions = PublishedCosts().positions
    assert list(positions.items())[:6] == [
        ("input", 0),
        ("output", 1),
        ("add_norm", 2),
        ("f512", 4),
        ("f1024", 5),
        ("l_h128_p-dft", 7),
    ]
    assert positions["c_h256_p-9"] == len(positions) + 3
    costs = PublishedCosts(load_space("flexibert-small").definition)
    assert "c_h128_p-13" in costs.positions
    a, b = (one_layer("c", kernel, 2, [2048]) for kernel in (5, 13))
    assert graph_edit_distance(a, b, costs) == 4
    assert graph_edit_distance(a, b, costs) == pairwise_distances([a], [b], costs)[0, 0]


def test_costs_that_cannot_be_used():
    a, b = named_architecture("bert-tiny"), named_architecture("bert-base")
    with pytest.raises(UnknownName, match="'block'. Did you mean 'blocks'"):
        graph_edit_distance(a, b, "block")
    with pytest.raises(UnknownName, match="edit distance method is called 'quick'"):
        graph_edit_distance(a, named_architecture("bert-mini"), "published", method="quick")
    with pytest.raises(InvalidArchitecture, match="no position for the block .*costs='blocks'"):
        graph_edit_distance(a, b, "published")


def test_weisfeiler_lehman_agrees_with_counting_by_hand():
    sample = load_space("flexibert-test").sample(5) + [named_architecture("bert-base")]

    def neighbourhoods(encoder):
        graph = encoder.graph()
        names = dict(graph.nodes(data="label"))
        found = list(names.values())
        for _ in range(3):
            names = {
                n: repr((names[n], sorted(names[p] for p in graph.predecessors(n)),
                         sorted(names[s] for s in graph.successors(n))))
                for n in graph
            }  # fmt: skip
            found += names.values()
        return found

    counts = [neighbourhoods(encoder) for encoder in sample]
    words = sorted({word for found in counts for word in found})
    vectors = np.array([[found.count(word) for word in words] for found in counts], float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kernel = weisfeiler_lehman_kernel(sample)
    assert_allclose(kernel, vectors @ vectors.T, atol=1e-12)
    assert_allclose(weisfeiler_lehman_kernel(sample[:2], sample[2:]), kernel[:2, 2:], atol=1e-12)
    distances = weisfeiler_lehman_distances(sample)
    assert_allclose(distances, np.sqrt(np.maximum(2 - 2 * kernel, 0)), atol=2e-6)
    assert (np.diag(distances) == 0).all()
    assert distances[~np.eye(len(sample), dtype=bool)].min() > 0.1
