"""What a kind costs at the end alone is counted once, also where all layers are one object."""

from search_spaces import Architecture, count_flops, count_parameters
from search_spaces.architectures.layers import Head, Layer
from search_spaces.kinds import SLOTS, Kind


def test_a_repeated_layer_is_the_last_only_once():
    kinds = SLOTS["block"].kinds
    kinds.register("ending")(
        Kind(
            "ending",
            "costs at the end",
            parameters=lambda shape, part: 1000 * shape.last,
            flops=lambda shape, part, length: 1000 * shape.last,
        )
    )
    try:
        heads = (Head("sa", "sdp", 4),)
        plain, ending = (Layer(4, heads, (8,), parts) for parts in ((), {"block": "ending"}))
        usual, special = Architecture([plain] * 3), Architecture([ending] * 3)
        size = {"vocabulary_size": 10, "max_length": 8}
        assert count_parameters(special, **size) - count_parameters(usual, **size) == 1000
        work = {"vocabulary_size": 10, "length": 8}
        assert count_flops(special, **work) - count_flops(usual, **work) == 1000
    finally:
        del kinds._entries["ending"]
