"""Homogeneous families are restrictions of a space: what layers must share."""

from dataclasses import replace

import pytest

from search_spaces import FlexiBertSpace, list_named_architectures, load_space, named_architecture
from search_spaces.flexibert.definition import SpaceDefinition

FREE = {
    "layers": [1, 2, 3],
    "widths": [8, 12],
    "heads": [2, 4],
    "operations": {"sa": ["sdp"], "c": [3]},
    "feedforward_widths": [4],
    "feedforward_depths": [1, 2],
}


def one_width(architecture):
    return len({layer.width for layer in architecture.layers}) == 1


def all_alike(architecture):
    return len({layer.canonical for layer in architecture.layers}) == 1


@pytest.mark.parametrize("heads_in_layer", ["same", "mixed"])
@pytest.mark.parametrize(("shared", "keeps"), [("width", one_width), ("everything", all_alike)])
def test_a_restriction_is_exactly_the_part_that_shares(shared, keeps, heads_in_layer):
    layers = [1, 2] if heads_in_layer == "mixed" else [1, 2, 3]
    free = SpaceDefinition.from_dict({**FREE, "heads_in_layer": heads_in_layer, "layers": layers})
    restricted = FlexiBertSpace(replace(free, shared=shared))
    everything = FlexiBertSpace(free)
    part = [architecture for architecture in everything if keeps(architecture)]
    assert set(restricted) == set(part)
    assert restricted.size == len(part)
    for architecture in everything.sample(300):
        assert (architecture in restricted) == keeps(architecture)


@pytest.mark.parametrize("width", [128, 256])
def test_any_fixed_width(width):
    definition = load_space("flexibert-test-fine").definition
    fixed = FlexiBertSpace(replace(definition, widths=(width,)))
    assert fixed.size == 48**2 + 48**4
    drawn, either = fixed.sample(40), load_space("nas-bench-bert")
    assert {layer.width for a in drawn for layer in a.layers} == {width}
    assert all(a in either for a in drawn)
    assert 2 * fixed.size == either.size


def test_the_bert_family():
    space = load_space("bert")
    # head counts that divide the width: 3 for 128, 256 and 512 (2, 4, 8), 4 for 768
    assert space.size == 6 * 4 * (3 + 3 + 3 + 4)
    members = list(space)
    assert all(map(all_alike, members))
    assert {head.kind for a in members for layer in a.layers for head in layer.heads} == {"sa_sdp"}
    family = [n for n in list_named_architectures() if n.startswith("bert-") and "large" not in n]
    assert len(family) >= 6
    assert [n for n in family if named_architecture(n) not in space] == []
    mixed = load_space("flexibert-2")
    assert all(a in mixed for a in members)
