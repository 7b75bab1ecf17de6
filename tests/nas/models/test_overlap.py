"""Overlap: from architectures alone, 1 for identical ones only, symmetric, fast to rank by."""

import subprocess
import sys

import pytest

from nas.models.encoder import Encoder
from nas.models.heads import MaskedLanguageHead
from nas.models.overlap import (
    layer_overlap,
    match_heads,
    match_layers,
    nearest_parent,
    overlap,
    shared_parameters,
)
from nas.search.parents import Parents
from search_spaces import Architecture, load_space
from search_spaces.architectures.layers import Head, Layer


def make(*layers):
    """Architecture of layers (width, heads as texts, feed-forward widths)."""
    return Architecture(
        [Layer(w, tuple(Head.parse(h) for h in heads), tuple(ff)) for w, heads, ff in layers]
    )


@pytest.mark.parametrize("space", ["flexibert-micro", "flexibert-2", "nas-bench-bert"])
def test_identical_is_one_all_others_less_and_the_order_does_not_matter(space):
    found = load_space(space).sample(40, seed=0)
    for a in found:
        assert overlap(a, Architecture(a.layers[:])) == 1.0
    for a, b in zip(found, found[1:], strict=False):
        assert 0 <= overlap(a, b) < 1
        assert overlap(a, b) == overlap(b, a)


@pytest.mark.parametrize("positions", ["relative", "absolute"])
def test_it_counts_the_elements_that_both_models_have(positions):
    child = make((16, ["sa_sdp_8"] * 3, [24]), (16, ["c_5_8", "l_dct_8"], [24, 24]))
    parent = make((16, ["sa_sdp_8"] * 2, [40]), (16, ["l_dct_8", "sa_wma_8"], [24, 24]))
    tensors = []
    for architecture in (child, parent):
        encoder = Encoder(architecture, 50, max_length=12, positions=positions)
        parts = encoder.state_dict() | dict(MaskedLanguageHead(encoder).state_dict(prefix="mlm."))
        tensors.append(parts)
    total = sum(t.numel() for part in tensors for t in part.values())
    common = 0
    for name, own in tensors[0].items():
        other = tensors[1].get(name)
        if other is None:
            continue
        if name == "layers.1.mixed.weight":  # of its heads, the transform alone is in both
            common += 16 * 8
            continue
        block = 1
        for a, b in zip(own.shape, other.shape, strict=True):
            block *= min(a, b)
        common += block
    value = overlap(child, parent, vocabulary_size=50, max_length=12, positions=positions)
    assert value == pytest.approx(2 * common / total)


def test_layers_are_matched_in_order_so_that_the_most_is_shared():
    sa, dct = (16, ["sa_sdp_8"] * 2, [24]), (16, ["l_dct_8"] * 2, [24])
    assert match_layers(make(dct, sa, sa), make(sa, sa)) == (None, 0, 1)
    assert match_layers(make(sa, sa, sa), make(sa, sa)) == (0, 1, None)
    assert match_layers(make(sa), make(dct, dct, sa)) == (2,)
    assert match_layers(make(sa, dct), make(dct, sa)) in ((0, 1), (1, None), (None, 0))


def test_heads_are_matched_by_kind_one_to_one():
    child = make((16, ["sa_sdp_8"] * 3 + ["c_9_8", "l_dft_8"], [24])).layers[0]
    parent = make((16, ["sa_wma_8", "sa_sdp_8", "sa_sdp_8", "c_5_8"], [24])).layers[0]
    found = match_heads(child, parent)
    assert found["sa_sdp"] == [("sa_sdp", 0), ("sa_sdp", 1), ("sa_wma", 0)]
    assert found["c_9"] == [("c_5", 0)]
    assert found["l_dft"] == [None]
    for a, b in zip(*(load_space("flexibert-2").sample(30, seed=s) for s in (0, 1)), strict=True):
        pairs = [p for heads in match_heads(a.layers[0], b.layers[0]).values() for p in heads if p]
        assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("positions", ["relative", "absolute"])
def test_overlap_of_layers_leaves_out_what_every_parent_has(positions):
    a, b, *_ = load_space("flexibert-micro").sample(5, seed=3)
    own = [
        sum(t.numel() for name, t in Encoder(x, 5, max_length=12, positions=positions)
            .state_dict().items() if name.startswith("layers.") and "projection" not in name)
        for x in (a, b)
    ]  # fmt: skip
    distances = 12 if positions == "relative" else 0
    common = sum(
        shared_parameters(a.layers[i], b.layers[j], distances)
        for i, j in enumerate(match_layers(a, b, distances=distances))
        if j is not None
    )
    value = layer_overlap(a, b, max_length=12, positions=positions)
    assert value == layer_overlap(b, a, max_length=12, positions=positions)
    assert value == pytest.approx(2 * common / sum(own))
    assert layer_overlap(a, a, positions=positions) == 1.0


def test_the_nearest_parent_is_near_in_layers_not_in_embeddings():
    child = make((128, ["sa_sdp_32"] * 4, [96]))
    same_embeddings = make((128, ["c_5_32"] * 4, [96]))
    same_layers = make((96, ["sa_sdp_32"] * 4, [96]))
    both = [same_embeddings, same_layers]
    values = [overlap(child, other, vocabulary_size=8_000) for other in both]
    assert values[0] > values[1]
    assert nearest_parent(child, both, vocabulary_size=8_000) == (same_layers, values[1])
    assert nearest_parent(child, [*both, child]) == (child, 1.0)
    assert nearest_parent(child, []) is None


def test_a_parent_that_shares_little_is_none():
    child, stranger = make((64, ["sa_sdp_32"] * 2, [96])), make((64, ["l_dct_32"] * 2, [960]))
    deeper = make(*[(64, ["sa_sdp_32"] * 2, [96])] * 2)
    parents = Parents({"vocabulary_size": 50, "max_length": 12, "positions": "relative"})
    for other in (stranger, deeper):
        parents.add({"hash": other.hash, "architecture": other.to_dict()})
    assert parents.choose(child.to_dict())["parent"] == deeper.hash
    parents.drop(deeper.hash)
    assert parents.choose(child.to_dict()) == {}


def test_ranking_loads_no_torch():
    code = "import nas.models.overlap, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
