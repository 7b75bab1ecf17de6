import json
import os
import random
from pathlib import Path

import networkx as nx
import pytest

from search_spaces import Architecture, FlexiBertSpace, load_space, named_architecture
from search_spaces.architectures.fingerprint import graph_fingerprint, published_fingerprint
from search_spaces.architectures.graph import STYLES
from search_spaces.errors import UnknownName
from search_spaces.flexibert.definition import SpaceDefinition

DATA = Path(os.environ.get("NAS_DATA") or Path(__file__).parents[3] / ".." / "shared" / "data")

TINY = "79cadebed0d9211f265df75c88666c35c7b3b2e3823206c928f099d3a0faa444"
MINI = "9386ba22dab898c13dc5b40ddd89532abfbafffa8b1638be5550dfa1e9777bd7"
FLEXI = "312272343b02a475f7a6d1e77cd6683737bb73ffd4a5d25970e7062c281f3aa2"
FLEXI_OLD = "23f3026b5209a1616b04a1fe57875355e59be58ec9adcd39faf3e0648a533cd9"


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "style", "nodes", "fingerprint"),
    [
        ("bert-tiny", "heads", 12, TINY),
        ("bert-mini", "heads", 30, MINI),
        ("flexibert-mini", "heads", 30, FLEXI),
        ("flexibert-mini", "norms-in-stack", 34, FLEXI_OLD),
        ("bert-mini", "norms-in-stack", 30, MINI),
    ],
)
def test_published_nodes_and_fingerprints(name, style, nodes, fingerprint):
    encoder = named_architecture(name)
    assert len(encoder.graph(style)) == nodes
    assert published_fingerprint(encoder, style) == fingerprint


def test_published_identifiers_of_flexibert_2():
    path = DATA / "tables" / "edgetran_a100.jsonl"
    if not path.exists():
        pytest.skip(f"needs {path.name}, which is not part of the project")
    records = [json.loads(line) for line in path.open()]
    for record in records:
        assert published_fingerprint(Architecture.from_dict(record["architecture"])) == record["id"]


def test_edges_of_one_layer():
    encoder = Architecture.from_dict(
        {"l": 1, "o": [["sa_sdp_4", "l_dct_4"]], "h": [8], "f": [[16, 32]]}
    )
    graph = encoder.graph()
    labels = ["input", "sa_sdp_4", "l_dct_4", "add_norm_8", "f16", "f32", "add_norm_8", "output"]
    assert [label for _, label in graph.nodes(data="label")] == labels
    assert sorted(graph.edges) == [
        *[(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)],
        *[(3, 4), (3, 6), (4, 5), (5, 6), (6, 7)],
    ]
    assert graph.nodes[1] == {
        "label": "sa_sdp_4",
        "published": "sa_sdp_4",
        "block": "head",
        "layer": 0,
    }
    old = encoder.graph("norms-in-stack")
    assert len(old) == len(graph) + 1
    assert sorted(old.edges)[5:] == [(3, 4), (3, 5), (4, 5), (5, 6), (5, 7), (6, 7), (7, 8)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["flexibert-2", "flexibert-test"])
def test_graphs_flow_from_input_to_output(name, style):
    for encoder in load_space(name).sample(10):
        graph = encoder.graph(style)
        assert all(source < target for source, target in graph.edges)
        assert [n for n, degree in graph.in_degree if not degree] == [0]
        assert [n for n, degree in graph.out_degree if not degree] == [len(graph) - 1]


def test_unknown_style():
    with pytest.raises(UnknownName, match="'head'. Did you mean 'heads'"):
        named_architecture("bert-tiny").graph("head")


def permuted(encoder, rng):
    """The same architecture with heads in another order, in the per-head format."""
    heads = [rng.sample([str(h) for h in x.heads], len(x.heads)) for x in encoder.layers]
    return Architecture.from_dict(
        {
            "l": len(encoder),
            "o": heads,
            "h": [layer.width for layer in encoder.layers],
            "f": [list(layer.feedforward) for layer in encoder.layers],
        }
    )


def colour(graph, colours, rounds=5):
    """Give each node the colour of its label, and of its neighbours' colours, round by round.

    Every isomorphism keeps such colours, so that looking only among nodes of one colour misses
    none; what VF2++ finds is as exact, and it does not try a dozen equal heads in every order.
    """
    now = {n: colours.setdefault(label, len(colours)) for n, label in graph.nodes(data="label")}
    for _ in range(rounds):
        around = {
            n: (
                now[n],
                *(tuple(sorted(now[m] for m in side[n])) for side in (graph.pred, graph.succ)),
            )
            for n in graph
        }
        now = {n: colours.setdefault(seen, len(colours)) for n, seen in around.items()}
    nx.set_node_attributes(graph, now, "colour")
    return graph


def isomorphic(a, b, style):
    # VF2++ instead of VF2, which takes hours on layers of a dozen equal heads
    colours = {}
    one, other = (colour(x.graph(style), colours) for x in (a, b))
    return nx.vf2pp_is_isomorphic(one, other, node_label="colour")


def near_misses(encoder, rng):
    """Architectures that are easily taken for another: swapped layers, heads, widths, stacks."""
    written = permuted(encoder, rng).to_dict()
    i, j = rng.sample(range(written["l"]), 2)
    for key in rng.sample("ohf", rng.randint(1, 3)):
        written[key][i], written[key][j] = written[key][j], written[key][i]
    yield Architecture.from_dict(written)
    written["f"][i] = written["f"][i][::-1]
    yield Architecture.from_dict(written)


def shallow(encoder):
    return Architecture(encoder.layers[:4])


@pytest.mark.parametrize("style", STYLES)
def test_equal_hashes_exactly_for_isomorphic_graphs(style):
    # thousands of pairs: equal up to the order of heads, nearly equal, and unrelated
    rng = random.Random(0)
    equal = pairs = 0
    small = load_space("flexibert-test-finest").sample(230)
    mixed = [shallow(x) for x in load_space("flexibert-2").sample(12)]
    for encoder in [*small, *mixed]:
        others = [permuted(encoder, rng), *near_misses(encoder, rng), rng.choice(small)]
        for other in others:
            same = isomorphic(encoder, other, style)
            assert (encoder.hash == other.hash) == same
            assert (encoder == other) == same
            equal += same
            pairs += 1
    assert pairs > 950
    assert pairs * 0.9 > equal > pairs * 0.2


def same_labels(one, other):
    return one["label"] == other["label"]


def test_equal_hashes_exactly_for_isomorphic_graphs_of_thousands_of_random_pairs():
    # few choices and heads of several kinds, so that equal and nearly equal pairs are common
    space = FlexiBertSpace(
        SpaceDefinition.from_dict(
            {
                "layers": [1, 2],
                "widths": [12, 24],
                "heads": [2, 3, 4],
                "operations": {"sa": ["sdp"], "l": ["dct"], "c": [3]},
                "feedforward_widths": [4, 6],
                "feedforward_depths": [1, 2],
                "feedforward": "heterogeneous",
                "heads_in_layer": "mixed",
            }
        )
    )
    rng = random.Random(1)
    members = space.sample(1_100)
    graphs = {}
    equal = pairs = 0
    for encoder in members:
        others = [permuted(encoder, rng), rng.choice(space.neighbours(encoder))]
        if len(encoder) == 2:
            others.append(next(near_misses(encoder, rng)))
        for other in others:
            pair = [graphs.setdefault(str(a.to_dict()), a.graph()) for a in (encoder, other)]
            same = nx.is_isomorphic(*pair, node_match=same_labels)
            assert (encoder.hash == other.hash) == same
            equal += same
            pairs += 1
    assert pairs > 3_000
    assert len(members) * 1.3 > equal >= len(members)


def test_fingerprint_ignores_numbering():
    graph = named_architecture("flexibert-mini").graph()
    order = list(graph)
    random.Random(0).shuffle(order)
    renumbered = nx.relabel_nodes(graph, dict(zip(graph, order, strict=True)))
    assert graph_fingerprint(renumbered) == graph_fingerprint(graph)
    assert graph_fingerprint(graph, digest="md5") != graph_fingerprint(graph)
