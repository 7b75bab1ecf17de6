"""The space of a trained encoder begins with uniform cuts, which lie in it."""

import pytest

from nas.teachers.space import require_cut, require_inside, teacher_space
from search_spaces import Architecture, load_space


def teacher(layers, heads, inner):
    return Architecture.from_dict(
        {
            "l": layers, "o": [["sa_sdp_8"] * heads] * layers, "h": [heads * 8] * layers,
            "f": [[inner]] * layers,
        }
    )  # fmt: skip


@pytest.mark.parametrize("of", [(6, 12, 1536), (2, 2, 8), (1, 1, 1), (12, 16, 4096)])
def test_a_search_of_cuts_begins_with_uniform_ones(of):
    whole = teacher(*of)
    space = load_space(teacher_space(whole))
    require_inside(teacher_space(whole), whole)
    assert space.first
    for architecture in space.first:
        require_cut(architecture, whole)
        assert len(architecture.layers) == of[0]
        assert len(set(architecture.layers)) == 1


def test_the_first_of_them_keeps_a_quarter_of_heads_and_neurons():
    first = load_space(teacher_space(teacher(6, 12, 1536))).first[0]
    assert len(first.layers[0].heads) == 3
    assert first.layers[0].feedforward == (384,)
