"""Plain encoders of a given size: nearness, sameness of layers, and twins by brute force."""

from functools import partial

import pytest

from nas.single.baselines import largest_of, plain_bert, uniform_cut, whole_layers
from search_spaces import Architecture, count_parameters, load_space
from search_spaces.architectures.layers import Head, Layer
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.space import FlexiBertSpace

size = partial(count_parameters, vocabulary_size=1024, max_length=48, positions="relative")


@pytest.mark.parametrize("space", ["flexibert-micro", "flexibert-test", "flexibert-full"])
def test_plain_bert_is_homogeneous_and_of_nearly_equal_parameters(space):
    for winner in load_space(space).sample(20, seed=5):
        plain = plain_bert(winner, size)
        assert size(plain) == pytest.approx(size(winner), rel=0.03)
        assert len(set(plain.layers)) == 1
        assert len(plain.layers) == len(winner.layers)
        (kind,) = {head.kind for head in plain.layers[0].heads}
        assert kind == "sa_sdp"
        assert len(plain.layers[0].feedforward) == 1
        assert 2 <= plain.layers[0].feedforward[0] / plain.layers[0].width <= 6
        assert Architecture.from_dict(plain.to_dict()) == plain


def test_plain_bert_keeps_what_the_winner_chose_of_the_training():
    winner = load_space("flexibert-micro").sample(1)[0]
    chosen = Architecture(winner.layers, recipe={"mask_rate": 0.15})
    assert plain_bert(chosen, size).recipe == chosen.recipe


def test_the_largest_is_the_largest():
    space = FlexiBertSpace(
        SpaceDefinition(
            layers=(2, 4),
            layers_per_stack=2,
            widths=(64, 128),
            heads=(2, 4),
            operations={"sa": ["sdp", "wma"], "l": ["dft"]},
            feedforward_widths=(96, 192),
            feedforward_depths=(1, 2),
        )
    )
    everything = list(space)
    small = min(everything, key=size)
    assert size(largest_of(space, size, like=small)) == max(map(size, everything))
    allowed = lambda one: size(one) < 400_000  # noqa: E731
    wanted = max(size(one) for one in everything if allowed(one))
    assert size(largest_of(space, size, allowed, like=small)) == pytest.approx(wanted, rel=0.1)


def test_the_uniform_cut_is_the_nearest():
    space = FlexiBertSpace(
        SpaceDefinition(
            layers=(1, 2, 3),
            widths=(64,),
            shared="width",
            heads=(1, 2, 4),
            head_width=16,
            operations={"sa": ["sdp"]},
            feedforward_widths=(32, 64, 128),
            feedforward_depths=(1,),
        )
    )
    alike = [one for one in space if len(set(one.layers)) == 1]
    for winner in space.sample(20, seed=1):
        cut = uniform_cut(winner, space, size)
        assert cut in alike
        off = min(abs(size(one) - size(winner)) for one in alike)
        assert abs(size(cut) - size(winner)) == off


def test_whole_layers_are_as_many_as_come_nearest():
    def encoder(layers, heads, inner):
        layer = Layer(64, (Head("sa", "sdp", 16),) * heads, (inner,))
        return Architecture([layer] * layers)

    teacher = encoder(4, 4, 128)
    for winner in (encoder(4, 1, 32), encoder(1, 1, 32), encoder(3, 4, 96), teacher):
        found = whole_layers(winner, teacher, size)
        assert set(found.layers) == {teacher.layers[0]}
        off = [abs(size(encoder(n, 4, 128)) - size(winner)) for n in range(1, 5)]
        assert abs(size(found) - size(winner)) == min(off)
