"""The shipped spaces draw, move, count, encode and measure as they did when this was recorded."""

import json

import golden_spaces
import pytest
from golden_files import differences, fingerprint, read

from search_spaces import list_named_architectures

RECORDED = read("spaces.json")
EXACT = RECORDED["fingerprint"] == fingerprint()

pytestmark = pytest.mark.golden


def plain(value):
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(("space", "topic"), list(golden_spaces.entries()))
def test_a_space_is_what_it_was(space, topic):
    found = plain(golden_spaces.TOPICS[topic](space))
    assert not differences(RECORDED["spaces"][f"{space} {topic}"], found, exact=EXACT)


@pytest.mark.parametrize("name", sorted(RECORDED["named"]))
def test_a_published_architecture_is_what_it_was(name):
    found = plain(golden_spaces.published(name))
    assert not differences(RECORDED["named"][name], found, exact=EXACT)


def test_no_recorded_name_is_gone():
    assert set(RECORDED["named"]) <= set(list_named_architectures())
    assert {f"{s} {t}" for s, t in golden_spaces.entries()} == set(RECORDED["spaces"])
