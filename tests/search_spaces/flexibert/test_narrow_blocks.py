"""In a space with blocks of another width, heads are together as wide as it is inside."""

from dataclasses import replace

import numpy as np

from search_spaces import Architecture, load_space
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.space import FlexiBertSpace
from surrogates.features.categories import Categories

SPACE = FlexiBertSpace(
    SpaceDefinition.from_dict(
        {
            "layers": [2, 3],
            "widths": [64, 128],
            "heads": [2, 4],
            "operations": {"sa": ["sdp", "wma"]},
            "feedforward_widths": [96],
            "feedforward_depths": [1],
            "blocks": {"plain": {}, "bottleneck": {"inner": [16]}, "inverted-bottleneck": {}},
            "residuals": {"post": {}, "mixed": {}},
        }
    ),
    "narrow",
)
INNER = {"plain": (64, 128), "bottleneck": (16,), "inverted-bottleneck": (1024,)}


def test_heads_are_together_as_wide_as_inside():
    for architecture in SPACE.sample(60, seed=0):
        for layer in architecture.layers:
            assert layer.inner_width in INNER[layer.part("block").kind]
            assert layer.inner_width == layer.widths.inner
        assert Architecture.from_dict(architecture.to_dict()) == architecture
        assert architecture in SPACE


def test_other_heads_are_no_architecture_of_the_space():
    architecture = next(a for a in SPACE.sample(60, seed=1) if "bottleneck" in a.describe())
    plain = [replace(layer, parts=()) for layer in architecture.layers]
    assert Architecture(plain) not in SPACE


def test_what_a_search_makes_of_one_stays_inside():
    rng, sample = np.random.default_rng(0), SPACE.sample(12, seed=2)
    for a, b in zip(sample, sample[1:], strict=False):
        assert SPACE.mutate(a, rng) in SPACE
        assert SPACE.crossover(a, b, rng) in SPACE
    assert all(near in SPACE for near in SPACE.neighbours(sample[0]))


def test_choices_build_it_again():
    categories, rng = Categories(SPACE), np.random.default_rng(0)
    for a in SPACE.sample(40, seed=3):
        numbers = categories.encode(a)
        made = categories.build(lambda choice, options: options[numbers[str(choice)][0]])  # noqa: B023
        assert made == a
    for _ in range(40):
        assert (
            categories.build(lambda choice, options: options[rng.integers(len(options))]) in SPACE
        )


def test_mobilebert_and_its_teacher_are_points_of_everything():
    everything = load_space("everything")
    assert {"bottleneck", "inverted-bottleneck"} <= {
        part.kind for part in everything.definition.blocks
    }
    assert "mixed" in {part.kind for part in load_space("everything-micro").definition.residuals}
