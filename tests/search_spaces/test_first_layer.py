"""What stands in every first layer of a space is no choice, and nothing else has it."""

import pytest

from search_spaces import load_space
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.interpolation import interpolate
from search_spaces.flexibert.numbers import CompactCodes
from surrogates import make_policy

SPACE = {
    "layers": [1, 2, 3], "widths": [32], "shared": "width", "heads": [1, 2], "head_width": 8,
    "operations": {"sa": ["sdp"], "c": [5]}, "feedforward_widths": [8, 16],
    "feedforward_depths": [1], "residuals": ["pre"],
}  # fmt: skip
FIRST = {"first_layer": {"residual": "pre(norms=feedforward)"}}


@pytest.fixture(scope="module")
def space():
    return load_space(SPACE | FIRST)


def test_there_are_as_many_architectures_as_without(space):
    plain = load_space(SPACE)
    assert space.size == plain.size
    for own, usual in zip(space.sample(30, seed=2), plain.sample(30, seed=2), strict=True):
        first, *others = own.layers
        assert str(first.part("residual")) == "pre(norms=feedforward)"
        assert list(others) == list(usual.layers[1:])
        assert (first.heads, first.feedforward) == (
            usual.layers[0].heads, usual.layers[0].feedforward
        )  # fmt: skip
        assert own in space
        assert usual not in space
        assert space.architecture_at(space.index_of(own)) == own
        assert space.indices_of(own).tolist() == plain.indices_of(usual).tolist()


def test_numbers_are_hashed_as_architectures_are(space):
    for stacks, frame, digest in CompactCodes(space).draw(20, 3):
        assert bytes.fromhex(space.architecture_of(stacks, frame).hash)[:16] == digest


def test_what_is_near_and_between_is_of_the_space(space):
    a, b = space.sample(2, seed=5)
    between = interpolate(a, b, space)
    assert all(one in space and one in between for one in between.sample(min(4, between.size)))
    assert all(one in space for one in space.neighbours(a))


@pytest.mark.parametrize("policy", ["random", "evolution", "boshnas", "tpe", "reinforce"])
def test_policies_propose_of_it(policy, space):
    asked = make_policy(policy, space, {"glue": "max"}, seed=0)
    for number in range(6):
        (one,) = asked.ask(1)
        assert one in space
        asked.tell(one, {"glue": number % 3 + 0.0})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"first_layer": {"residuals": "pre"}}, "first_layer has no 'residuals'"),
        ({"first_layer": {"residual": "pri"}}, "first_layer.residual is 'pri'"),
        ({"first_layer": "pre"}, "first_layer is 'pre'"),
        ({**FIRST, "residuals": ["pre", "post"]}, "residuals offers 2 parts"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(InvalidSpace, match=message):
        load_space(SPACE | given)
