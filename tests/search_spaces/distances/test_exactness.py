"""Edit distances beside networkx, which knows graphs but not that these are chains of layers."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from search_spaces import Architecture, FlexiBertSpace, graph_edit_distance, load_space
from search_spaces.architectures.layers import Head, Layer
from search_spaces.distances import unordered
from search_spaces.distances.block_costs import BlockCosts
from search_spaces.distances.distance import COSTS
from search_spaces.distances.published_costs import EDGE, PublishedCosts
from search_spaces.flexibert.definition import SpaceDefinition

SMALL = SpaceDefinition.from_dict(
    {
        "layers": [1],
        "widths": [128, 256],
        "heads": [1, 2],
        "operations": {"sa": ["sdp", "wma"], "l": ["dct"], "c": [5]},
        "feedforward_widths": [512, 1024],
        "feedforward_depths": [1, 3],
        "heads_in_layer": "mixed",
    }
)
EVERY_SMALL = FlexiBertSpace(SMALL, "small")


def published_graph(architecture, costs):
    graph = architecture.graph()
    positions = costs.block_positions(architecture.layers)
    nx.set_node_attributes(graph, dict(enumerate(positions)), "position")
    return graph


COST_FUNCTIONS = {
    "node_subst_cost": lambda x, y: abs(x["position"] - y["position"]),
    "node_del_cost": lambda x: x["position"],
    "node_ins_cost": lambda x: x["position"],
    "edge_del_cost": lambda x: EDGE,
    "edge_ins_cost": lambda x: EDGE,
}


def within(a, b, costs, seconds):
    """Return the least value networkx finds in some seconds."""
    graphs = [published_graph(x, costs) for x in (a, b)]
    return nx.graph_edit_distance(*graphs, **COST_FUNCTIONS, timeout=seconds)


def small_pairs(count):
    pairs = list(combinations(EVERY_SMALL.sample(EVERY_SMALL.size), 2))
    chosen = np.random.default_rng(0).permutation(len(pairs))[:count]
    return [pairs[i] for i in chosen]


def assert_as_networkx(pairs):
    costs = PublishedCosts()
    for a, b in pairs:
        graphs = [published_graph(x, costs) for x in (a, b)]
        expected = pytest.approx(nx.graph_edit_distance(*graphs, **COST_FUNCTIONS))
        assert graph_edit_distance(a, b, costs, method="exact") == expected
        assert graph_edit_distance(a, b, costs) == expected


def test_published_distances_are_those_of_networkx():
    assert_as_networkx(small_pairs(15))


@pytest.mark.slow
def test_more_published_distances_are_those_of_networkx():
    assert_as_networkx(small_pairs(150))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_published_distance_is_never_above_what_networkx_finds(seed):
    a, b = load_space("flexibert-test").sample(2, seed, accept=lambda x: len(x) == 4)
    assert graph_edit_distance(a, b, "published") <= within(a, b, PublishedCosts(), 5) + 1e-9


@pytest.mark.parametrize(
    ("method", "size", "solver"),
    [
        ("exact", "small", "exact_distance"),
        ("exact", "large", "exact_distance"),
        ("best", "small", "exact_distance"),
        ("best", "large", "search_distance"),
    ],
)
def test_the_programme_is_asked_where_it_is_wanted_or_quick(method, size, solver, monkeypatch):
    space = EVERY_SMALL if size == "small" else load_space("flexibert-test")
    a, b = space.sample(2, seed=1, accept=lambda x: len(x) != 2)
    asked = []
    for name in ("exact_distance", "search_distance"):
        monkeypatch.setattr(unordered, name, lambda *_, name=name: asked.append(name) or 0.5)
    assert graph_edit_distance(a, b, "published", method=method) == 0.5
    assert asked == [solver]


def kinds_graph(kinds):
    graph = nx.DiGraph()
    graph.add_nodes_from((i, {"kind": kind}) for i, kind in enumerate(kinds))
    return graph


def test_heads_of_a_layer_are_matched_as_networkx_does():
    # nothing but heads differs: a graph without edges, in which one may replace any other
    costs = BlockCosts()
    kinds = [("sa", "sdp"), ("sa", "wma"), ("l", "dft"), ("l", "dct"), ("c", 5)]
    rng = np.random.default_rng(0)

    def replaced(x, y):
        if x["kind"] == y["kind"]:
            return 0.0
        return costs.parameter if x["kind"][0] == y["kind"][0] else costs.operation

    for _ in range(30):
        sides = [[kinds[i] for i in rng.integers(len(kinds), size=4)] for _ in range(2)]
        layers = [Layer(128, tuple(Head(*kind, 32) for kind in side), (512,)) for side in sides]
        expected = nx.graph_edit_distance(
            *map(kinds_graph, sides),
            node_subst_cost=replaced,
            node_del_cost=lambda x: 10.0,
            node_ins_cost=lambda x: 10.0,
        )
        found = graph_edit_distance(*(Architecture([layer]) for layer in layers))
        assert found == pytest.approx(expected / 4)


def shuffled(architecture, rng):
    layers = [
        Layer(x.width, tuple(x.heads[i] for i in rng.permutation(len(x.heads))), x.feedforward)
        for x in architecture.layers
    ]
    return Architecture(layers, architecture.style)


@pytest.mark.parametrize("costs", sorted(COSTS))
def test_zero_exactly_for_isomorphic_graphs(costs):
    rng = np.random.default_rng(1)
    sample = EVERY_SMALL.sample(25)
    pairs = [(a, shuffled(a, rng)) for a in sample] + list(zip(sample, sample[1:], strict=False))
    same = []
    for a, b in pairs:
        alike = nx.is_isomorphic(
            a.graph(), b.graph(), node_match=lambda x, y: x["label"] == y["label"]
        )
        assert (graph_edit_distance(a, b, costs) == 0) == alike
        assert graph_edit_distance(a, b, costs) == graph_edit_distance(b, a, costs)
        same.append(alike)
    assert sum(same) == len(sample)


def test_triangles_of_single_distances():
    space = load_space("flexibert-2")
    sample = space.sample(6) + [space.mutate(a, np.random.default_rng(0)) for a in space.sample(6)]
    rng = np.random.default_rng(2)
    for _ in range(60):
        a, b, c = (sample[i] for i in rng.integers(len(sample), size=3))
        detour = graph_edit_distance(a, b) + graph_edit_distance(b, c)
        assert graph_edit_distance(a, c) <= detour + 1e-9
