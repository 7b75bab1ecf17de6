"""However it is written that nothing stands in a slot, the layer is the same and can be hashed."""

import pytest

from search_spaces import Architecture, Head, Layer


@pytest.mark.parametrize("nothing", [(), {}, [], {"feedforward": "mlp"}])
def test_nothing_is_an_empty_tuple(nothing):
    layer = Layer(64, (Head("sa", "sdp", 64),), (64,), nothing)
    assert layer.parts == ()
    assert hash(layer) == hash(Layer(64, (Head("sa", "sdp", 64),), (64,)))
    empty = () if nothing == {"feedforward": "mlp"} else nothing
    architecture = Architecture([layer], parts=empty, recipe=empty)
    assert architecture.parts == architecture.recipe == ()
    assert architecture.hash == Architecture([layer]).hash
