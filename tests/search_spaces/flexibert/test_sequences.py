"""Numbered without being listed: the same members under the same numbers, however many."""

import time

import numpy as np
import pytest

from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidArchitecture, InvalidSpace
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.sequences import (
    Chain,
    Listed,
    Multisets,
    Products,
    Repeated,
    numbered,
)
from search_spaces.flexibert.space import FlexiBertSpace

SEQUENCES = [
    Products(["ab", "cde", "f"]),
    Products([]),
    Repeated("abc", 4),
    Multisets("abcd", 5),
    Multisets("a", 3),
    Chain({1: Repeated("ab", 1), 3: Products(["ab"] * 3), 4: Multisets("xyz", 4)}),
]


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda s: type(s).__name__)
def test_every_member_has_the_number_that_listing_gives_it(sequence):
    members = list(sequence)
    assert len(members) == len(set(members)) == sequence.count
    for kind in (sequence, numbered(sequence)):
        assert [kind.at(i) for i in range(kind.count)] == members
        assert [kind.number(member) for member in members] == list(range(kind.count))
        assert kind.number(("q", "q", "q")) is None
    assert isinstance(numbered(sequence), Listed)


def test_what_is_not_in_order_is_no_multiset():
    assert Multisets("abc", 2).number(("b", "a")) is None


HUGE = {
    "layers": [2, 12],
    "widths": [128, 256],
    "operations": {"sa": ["sdp", "wma"], "l": ["dft", "dct"], "c": [3, 5, 7, 9, 11, 13]},
    "feedforward_widths": [256, 512],
}


@pytest.mark.parametrize(
    ("more", "stacks"),
    [
        (
            {"heads": [2], "feedforward_depths": [40], "feedforward": "heterogeneous"},
            2 * 10 * 2**40,
        ),
        (
            {"heads": [64], "feedforward_depths": [1], "heads_in_layer": "mixed"},
            2 * 97_082_021_465 * 2,  # (64 + 9 over 9) multisets
        ),
    ],
    ids=["40 maps", "64 mixed heads"],
)
def test_spaces_too_large_to_list_are_counted_and_sampled_at_once(more, stacks):
    begun = time.perf_counter()
    space = FlexiBertSpace(SpaceDefinition.from_dict({**HUGE, **more}))
    assert space.size == stacks**2 + stacks**12
    for architecture in space.sample(5):
        number = space.index_of(architecture)
        assert space.architecture_at(number) == architecture
        assert architecture in space
        assert space.neighbours(architecture)[0] in space
    a, b = space.sample(2, seed=1)
    assert space.crossover(a, b, np.random.default_rng(0)) in space
    assert time.perf_counter() - begun < 10


def test_long_and_listed_sequences_make_the_same_space(monkeypatch):
    definition = SpaceDefinition.from_dict(
        {**HUGE, "heads": [2, 3], "feedforward_depths": [1, 2], "feedforward": "heterogeneous",
         "heads_in_layer": "mixed", "layers": [1], "feedforwards": {"mlp": {}, "glu": {}}}
    )  # fmt: skip
    listed = FlexiBertSpace(definition)
    monkeypatch.setattr("search_spaces.flexibert.sequences.MOST_LISTED", 0)
    computed = FlexiBertSpace(definition)
    assert computed.size == listed.size
    numbers = range(0, listed.size, 37)
    found = [computed.architecture_at(i) for i in numbers]
    assert found == [listed.architecture_at(i) for i in numbers]
    assert [computed.index_of(a) for a in found] == list(numbers)


@pytest.mark.parametrize(
    "more", [{"layers": [10**9]}, {"heads": [4096]}, {"widths": [10**30]},
             {"feedforward_depths": [65]}, {"recipe": {"mask_rate": [float("nan")]}},
             {"recipe": {"mask_rate": {"from": 0.1, "to": float("inf"), "steps": 3}}}],
    ids=str,
)  # fmt: skip
def test_sizes_beyond_what_can_be_built_are_refused(more):
    with pytest.raises(InvalidSpace):
        SpaceDefinition.from_dict({**HUGE, "heads": [2], "feedforward_depths": [1], **more})


@pytest.mark.parametrize(
    "change",
    [{"n": [4294967296]}, {"h": [10**30]}, {"f": [[2] * 65]}, {"l": 10**9},
     {"o": ["c"], "p": [10**9 + 1]}],
    ids=str,
)  # fmt: skip
def test_an_architecture_that_no_machine_can_build_is_refused_at_once(change):
    usual = {"l": 1, "o": ["sa"], "h": [64], "n": [2], "f": [[64]], "p": ["sdp"]}
    begun = time.perf_counter()
    with pytest.raises(InvalidArchitecture):
        Architecture.from_dict({**usual, **change})
    assert time.perf_counter() - begun < 1
