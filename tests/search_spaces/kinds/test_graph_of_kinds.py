"""Graphs, and every distance that takes parts, see what stands in every slot and on every head."""

import itertools
from dataclasses import replace

import networkx as nx
import pytest

from search_spaces import Architecture
from search_spaces.architectures.graph import STYLES
from search_spaces.architectures.layers import Head, Layer
from search_spaces.errors import InvalidArchitecture
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, SLOTS, Block
from search_spaces.vectors.embedding import DISTANCES

HEADS = (Head("sa", "sdp", 16), Head("c", 5, 16))
PLAIN = Architecture([Layer(32, HEADS, (48, 96))] * 2)
SETTINGS = ("", "(size=8)", "(manner=odd)", "(manner=odd,size=8)")


def with_part(slot, text):
    """Return `PLAIN` with one part in the model, in its second layer, or as its first head."""
    first, second = PLAIN.layers
    if slot in MODEL_SLOTS:
        return Architecture(PLAIN.layers, parts={slot: text})
    if slot == "mixer":
        return Architecture([first, replace(second, heads=(Head.parse(f"{text}_16"), HEADS[1]))])
    return Architecture([first, replace(second, parts={slot: text})])


def variants(slot):
    """Return `PLAIN` and others that differ from it and from each other in one part."""
    texts = [f"dummy{settings}" for settings in SETTINGS]
    if slot == "mixer":
        texts += ["sa_wma", "c_9"]
    texts += [kind for kind in SLOTS[slot].kinds if kind not in ("dummy", "sa", "l", "c")]
    made = [with_part(slot, text) for text in texts]
    return [PLAIN, *(architecture for architecture in made if architecture != PLAIN)]


def isomorphic(a, b, style="heads"):
    graphs = a.graph(style), b.graph(style)
    return nx.is_isomorphic(*graphs, node_match=lambda x, y: x["label"] == y["label"])


@pytest.mark.parametrize("slot", ["mixer", *LAYER_SLOTS, *MODEL_SLOTS])
def test_one_other_part_is_another_graph_and_a_distance(dummies, slot):
    every = variants(slot)
    for style in STYLES:
        for a, b in itertools.combinations(every, 2):
            assert not isomorphic(a, b, style), (str(a.to_dict()), str(b.to_dict()))
    refused = []
    for name in DISTANCES:
        try:
            found = DISTANCES[name](every)(every)
        except InvalidArchitecture:
            refused.append(name)
            continue
        for i, j in itertools.combinations(range(len(every)), 2):
            assert found[i, j] > 1e-4, (name, every[i].describe(), every[j].describe())
    assert refused == ["published"]


@pytest.fixture
def drawn(dummies):
    """Let the dummy of a slot draw itself as a chain of nodes."""
    kept = []

    def by(slot, *blocks):
        kinds = SLOTS[slot].kinds._entries
        kept.append((kinds, kinds["dummy"]))

        def chain(layer, part):
            return [Block(f"{label} {part} {layer.width}", block) for label, block in blocks]

        kinds["dummy"] = replace(kinds["dummy"], blocks=chain)

    yield by
    for kinds, kind in reversed(kept):
        kinds["dummy"] = kind


def labels(architecture, style="heads"):
    """Return the labels of the nodes, and of both ends of every edge."""
    graph = architecture.graph(style)
    of = [label for _, label in graph.nodes(data="label")]
    return of, sorted((of[a], of[b]) for a, b in graph.edges)


@pytest.mark.parametrize("style", STYLES)
def test_a_mixer_draws_what_is_in_place_of_its_head(drawn, style):
    drawn("mixer", ("gate", "gate"), ("long", "head"))
    head = Head.parse("dummy(size=8)_16")
    usual = Layer(32, (HEADS[0],) * 2, (48,))
    nodes, edges = labels(Architecture([replace(usual, heads=(HEADS[0], head))]), style)
    gate, long = "gate dummy(size=8) 32", "long dummy(size=8) 32"
    assert nodes[:5] == ["input", "sa_sdp_16", gate, long, "add_norm_32"]
    assert {("input", gate), (gate, long), (long, "add_norm_32")} <= set(edges)
    assert len(edges) == len(labels(Architecture([usual]), style)[1]) + 1


def test_a_feedforward_draws_its_maps(drawn):
    drawn("feedforward", ("router", "router"), ("experts", "feedforward"))
    layer = Layer(32, HEADS, (48, 96), {"feedforward": "dummy"})
    nodes, edges = labels(Architecture([layer]))
    assert nodes[3:] == [
        "add_norm_32",
        "router dummy 32",
        "experts dummy 32",
        "add_norm_32",
        "output",
    ]
    assert ("router dummy 32", "experts dummy 32") in edges
    words = [block for _, block in Architecture([layer]).graph().nodes(data="block")]
    assert words[4:6] == ["router", "feedforward"]
    older, _ = labels(Architecture([layer]), "norms-in-stack")
    assert older.count("add_norm_32") == 3


def test_a_residual_draws_its_sums_and_a_block_what_is_before_the_heads(drawn):
    drawn("residual", ("gated sum", "sum"), ("norm", "norm"))
    drawn("block", ("narrow", "map"))
    layer = Layer(32, HEADS[:1], (48,), {"residual": "dummy", "block": "dummy(size=8)"})
    nodes, edges = labels(Architecture([layer]))
    narrow, total, norm = "narrow dummy(size=8) 32", "gated sum dummy 32", "norm dummy 32"
    assert nodes == ["input", narrow, "sa_sdp_16", total, norm, "f48", total, norm, "output"]
    assert edges == sorted([
        ("input", narrow), (narrow, "sa_sdp_16"), (narrow, total), ("sa_sdp_16", total),
        (total, norm), (norm, "f48"), (norm, total), ("f48", total), (total, norm),
        (norm, "output"),
    ])  # fmt: skip


def test_a_slot_that_is_not_drawn_is_named_by_what_is(drawn):
    drawn("residual", ("sum", "sum"))
    parts = {"residual": "dummy", "block": "dummy(size=8)"}
    one, other = (
        Architecture([Layer(32, HEADS, (48,), p)]) for p in (parts, {"residual": "dummy"})
    )
    assert not isomorphic(one, other)
    assert "sum dummy 32 block=dummy(size=8)" in labels(one)[0]


def test_a_kind_that_draws_no_node_gets_the_usual_ones(drawn):
    for slot in ("mixer", *LAYER_SLOTS):
        drawn(slot)
    for slot in ("mixer", *LAYER_SLOTS):
        every = [a for a in variants(slot) if not any(map(_draws, a.layers))]
        assert all(len(a.graph()) == len(PLAIN.graph()) for a in every)
        assert not any(isomorphic(a, b) for a, b in itertools.combinations(every, 2))


def _draws(layer):
    block = layer.part("block")
    return SLOTS["block"].kinds[block.kind].blocks is not None


def test_a_bottleneck_is_drawn_with_what_is_inside_and_a_sum_around_it():
    parts = {"block": "bottleneck(inner=16,maps=2)", "residual": "pre"}
    nodes, edges = labels(Architecture([Layer(32, (Head("sa", "sdp", 16),), (48,), parts)]))
    narrow, inner, outer = "bottleneck(inner=16,maps=2)", "add_norm_16", "add_norm_32 residual=pre"
    assert nodes == [
        "input", narrow, "sa_sdp_16", inner, "f48", inner, "f48", inner, "f32", outer, "output"
    ]  # fmt: skip
    assert {("input", outer), (narrow, inner), (inner, "f32"), ("f32", outer)} <= set(edges)
