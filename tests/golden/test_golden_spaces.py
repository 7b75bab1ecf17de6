"""The shipped spaces draw, move, count, encode and measure as they did when this was recorded."""

import json

import golden_spaces
import pytest
from golden_files import NEAR, differences, fingerprint, read

from search_spaces import list_named_architectures, list_spaces

RECORDED = read("spaces.json")
CLOSENESS = None if RECORDED["fingerprint"] == fingerprint() else NEAR

pytestmark = pytest.mark.golden


def plain(value):
    return json.loads(json.dumps(value))


# a table of the costs of all layers there can be, of which flexibert-2 has millions
SLOW = {"flexibert-2 streaming"}


@pytest.mark.parametrize(
    ("space", "topic"),
    [
        pytest.param(*text.split(), marks=pytest.mark.slow if text in SLOW else [])
        for text in RECORDED["spaces"]
    ],
)
def test_a_space_is_what_it_was(space, topic):
    found = plain(golden_spaces.TOPICS[topic](space))
    assert not differences(RECORDED["spaces"][f"{space} {topic}"], found, close=CLOSENESS)


@pytest.mark.parametrize("name", sorted(RECORDED["named"]))
def test_a_published_architecture_is_what_it_was(name):
    found = plain(golden_spaces.published(name))
    assert not differences(RECORDED["named"][name], found, close=CLOSENESS)


def test_no_recorded_name_is_gone():
    assert set(RECORDED["named"]) <= set(list_named_architectures())
    recorded = {text.split()[0] for text in RECORDED["spaces"]} - {"mixed"}
    assert recorded <= set(list_spaces())
    assert len(RECORDED["spaces"]) == (len(recorded) + 1) * len(golden_spaces.TOPICS)
