from dataclasses import replace

import matplotlib
import networkx as nx
import numpy as np
import pytest

from nas.report.architecture_picture import (
    COLOURS,
    _Picture,
    block_lines,
    block_text,
    colour_key,
    colours,
    draw_architecture,
    legend_text,
)
from nas.report.graph_layout import fold, group_heads, layered_layout
from search_spaces import Architecture, Head, Layer, list_spaces, load_space, named_architecture
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS, Block

MINI = named_architecture("flexibert-mini")
WIDE = load_space("flexibert-2").sample(1, seed=3)[0]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_pictures_of_every_format(tmp_path, ending):
    path = draw_architecture(MINI, tmp_path / f"mini.{ending}", title="mini")
    begin = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending.lower()]
    assert path.read_bytes().startswith(begin)


@pytest.mark.parametrize("direction", ["down", "right"])
def test_every_block_is_written_and_the_legend_names_what_is_there(tmp_path, direction):
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        path = draw_architecture(MINI, tmp_path / "mini.svg", direction=direction)
    text = path.read_text()
    assert text.count(">sa sdp 128<") == 4
    assert text.count(">l dct 32<") == 8
    assert text.count(">ff 512<") == 6
    assert text.count(">add+norm 256<") + text.count(">add+norm 128<") >= 8
    for words in ("self-attention sdp", "linear transform dct", "feed-forward", "layer 4"):
        assert f">{words}<" in text
    assert "convolution" not in text
    assert MINI.short in text


@pytest.mark.parametrize("direction", ["down", "right"])
def test_the_drawing_stands_in_the_middle_at_one_inch_a_unit(direction):
    picture = _Picture(MINI.graph(), direction)
    figure = picture.figure("mini")
    (axes,) = figure.axes
    across, along = zip(*picture.places.values(), strict=True)
    sides = (across, along) if direction == "down" else (along, across)
    for limits, places in zip((axes.get_xlim(), axes.get_ylim()), sides, strict=True):
        assert sum(limits) == pytest.approx(min(places) + max(places))
        assert min(limits) < min(places)
    assert abs(np.diff(axes.get_xlim()).item()) == pytest.approx(figure.get_figwidth())
    assert abs(np.diff(axes.get_ylim()).item()) < figure.get_figheight()


def test_rows_do_not_overlap_and_follow_the_flow():
    graph = fold(WIDE.graph(), 26)
    places = layered_layout(graph, beside=1.1, below=0.6, apart=2.0)
    assert len(set(places.values())) == len(graph)
    assert all(places[a][1] < places[b][1] for a, b in graph.edges)
    by_row = {}
    for across, along in places.values():
        by_row.setdefault(along, []).append(across)
    for row in by_row.values():
        row.sort()
        assert all(b - a > 1.09 for a, b in zip(row, row[1:], strict=False))


def test_folding_repeats_the_block_between_parts_and_loses_nothing():
    graph = WIDE.graph()
    folded = fold(graph, 26)
    again = [node for node, data in folded.nodes(data=True) if data.get("again")]
    assert len(again) == 2
    assert nx.number_weakly_connected_components(folded) == 3
    assert len(folded.edges) == len(graph.edges)
    assert all(folded.nodes[node]["block"] == "norm" for node in again)
    assert set(fold(graph, 1_000)) == set(graph)
    assert nx.number_weakly_connected_components(fold(MINI.graph(), 1)) == 4


def test_equal_heads_are_grouped_with_their_number():
    grouped = group_heads(WIDE.graph())
    for i, layer in enumerate(WIDE.layers):
        heads = [d for _, d in grouped.nodes(data=True) if d["block"] == "head" and d["layer"] == i]
        assert {d["label"].rpartition("_")[0]: d["count"] for d in heads} == layer.kinds
    assert block_text({"block": "head", "label": "sa_sdp_64", "count": 12}) == "12 × sa sdp 64"
    assert len(grouped) < len(WIDE.graph())


def test_every_block_of_every_space_has_a_colour():
    for name in list_spaces():
        for architecture in load_space(name).sample(5):
            for _, data in architecture.graph().nodes(data=True):
                assert colour_key(data) in COLOURS


def test_wrong_endings_and_folders(tmp_path):
    with pytest.raises(InvalidExperiment, match="the ending '.jpg'. Use .png, .svg, .pdf"):
        draw_architecture(MINI, tmp_path / "mini.jpg")
    with pytest.raises(InvalidExperiment, match="There is no folder .* Make it first"):
        draw_architecture(MINI, tmp_path / "none" / "mini.png")


def test_a_mixer_with_two_settings_and_parts_are_drawn(dummies, tmp_path):
    head = Head.parse("longconv(filter=32,taps=64)_32")
    layer = Layer(64, (head, Head("sa", "sdp", 32)), (96,), {"feedforward": "dummy(size=8)"})
    architecture = Architecture([layer], parts={"norm": "dummy"}, recipe={"mask_rate": 0.3})
    drawn = [data for _, data in architecture.graph().nodes(data=True)]
    words = {block_text(data) for data in drawn}
    assert "longconv(filter=32,taps=64) 32" in words
    assert "ff 96 dummy(size=8)" in words
    assert any("norm=dummy" in text and "mask_rate=0.3" in text for text in words)
    keys = {colour_key(data) for data in drawn}
    assert keys == {"input", "output", "norm", "feedforward", "sa_sdp", "longconv"}
    assert legend_text("longconv") == "gated long convolution"
    picture = draw_architecture(architecture, tmp_path / "picture.svg")
    assert picture.stat().st_size > 1000


def test_long_words_stand_in_two_lines():
    assert block_lines("sa sdp 64") == ["sa sdp 64"]
    assert block_lines("add+norm 64 residual=pre") == ["add+norm 64", "residual=pre"]
    assert block_lines("longconv(filter=32,taps=64) 32") == ["longconv(filter=32,", "taps=64) 32"]
    assert block_lines("dummy(manner=odd) 8") == ["dummy", "(manner=odd) 8"]
    assert block_lines("a-word-without-any-end") == ["a-word-without-any-end"]


def test_kinds_without_a_colour_of_their_own_are_told_apart():
    found = colours(["sa_sdp", "router", "longconv", "input"])
    assert list(found) == ["input", "sa_sdp", "longconv", "router"]
    assert found["sa_sdp"] == COLOURS["sa_sdp"]
    assert len(set(found.values())) == 4


def test_what_a_kind_draws_itself_is_shown(monkeypatch, tmp_path):
    kinds = SLOTS["mixer"].kinds
    blocks = [Block("long kernel", "head"), Block("gate", "gate")]
    changed = replace(kinds["longconv"], blocks=lambda layer, part: blocks)
    monkeypatch.setitem(kinds._entries, "longconv", changed)
    architecture = Architecture([Layer(64, (Head.parse("longconv_32"),) * 2, (96,))])
    nodes = [data for _, data in architecture.graph().nodes(data=True)]
    assert {"long kernel", "gate"} <= {block_text(data) for data in nodes}
    keys = {colour_key(data) for data in nodes}
    assert {"long kernel", "gate"} <= keys
    assert {legend_text(key) for key in keys} >= {"long kernel", "gate"}
    assert draw_architecture(architecture, tmp_path / "own.svg").exists()
