"""Choices make every architecture of every space, and the nearest is found by counting them."""

import numpy as np
import pytest

from search_spaces import FiniteSpace, FlexiBertSpace, load_space
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.library import list_spaces
from surrogates.features.categories import Categories
from surrogates.features.decoding import Decoder

every_space = pytest.mark.parametrize("name", list_spaces())


def made_by(categories, architecture):
    """Build an architecture from nothing but the numbers it is encoded as."""
    numbers = categories.encode(architecture)
    return categories.build(lambda choice, options: options[numbers[str(choice)][0]])


@every_space
def test_choices_make_every_architecture(name):
    space = load_space(name)
    categories = Categories(space)
    assert all(made_by(categories, a) == a for a in space.sample(40, seed=1))


@every_space
def test_choices_are_learned_from_a_list(name):
    space = FiniteSpace(load_space(name).sample(60, seed=2))
    categories = Categories(space)
    assert all(made_by(categories, a) == a for a in space)


@every_space
def test_random_choices_stay_in_the_space(name):
    space, rng = load_space(name), np.random.default_rng(0)
    categories = Categories(space)
    for _ in range(40):
        assert (
            categories.build(lambda choice, options: options[rng.integers(len(options))]) in space
        )


def test_what_layers_share_is_one_choice():
    shared = Categories(load_space("nas-bench-bert"))
    names = list(shared.encode(load_space("nas-bench-bert").sample(1)[0]))
    assert len([n for n in names if "width" in n]) == 1
    whole = FiniteSpace(load_space("bert").sample(30, seed=0))
    assert len(Categories(whole).encode(whole.architectures[0])) == 5
    pairs = FiniteSpace(load_space("flexibert-test").sample(50, seed=0))
    four = next(a for a in pairs if len(a) == 4)
    assert len(Categories(pairs).encode(four)) == 1 + 2 * 4


def test_values_that_are_no_option_are_left_out():
    categories = Categories(load_space("flexibert-micro"))
    outside = load_space("flexibert-2").sample(1, seed=0)[0]
    kept = categories.encode(outside)
    assert all(0 <= number < count for number, count in kept.values())
    assert "0.layers.0" not in kept


@pytest.mark.parametrize("seed", range(3))
def test_nearest_is_unseen_with_fewest_other_choices(seed):
    space = FiniteSpace(load_space("flexibert-test-fine").sample(60, seed=seed))
    wanted = load_space("flexibert-test-fine").sample(1, seed=100 + seed)[0]
    categories, rng = Categories(space), np.random.default_rng(seed)
    seen = {a.hash for a in space.sample(20, seed=seed)}
    found = Decoder(space, lambda a: True, categories).nearest(wanted, rng, seen)

    def differing(a):
        ours, its = categories.encode(wanted), categories.encode(a)
        return sum(ours.get(k) != its.get(k) for k in ours.keys() | its.keys())

    counts = {a: differing(a) for a in space if a.hash not in seen}
    assert counts[found] == min(counts.values())
    assert categories.differing(wanted, list(counts)).tolist() == list(counts.values())


def test_what_may_be_proposed_is_taken_as_it_is():
    space, rng = load_space("flexibert-test-fine"), np.random.default_rng(0)
    decoder = Decoder(space, lambda a: len(a) == 4, Categories(space))
    four = space.sample(1)[0]
    assert decoder.nearest(four, rng, set()) == four
    beside = decoder.nearest(four, rng, {four.hash})
    assert beside in space.neighbours(four)
    two = space.sample(1, accept=lambda a: len(a) == 2)[0]
    assert len(decoder.nearest(two, rng, set())) == 4


SLOTTED = {
    "layers": [1, 2], "widths": [32, 64], "heads": [2], "operations": {"sa": ["sdp"], "dummy": {}},
    "feedforward_widths": [48], "feedforward_depths": [1],
    "feedforwards": {"mlp": {}, "dummy": {"size": [2, 4], "manner": ["plain", "odd"]}},
    "residuals": {"dummy": {}}, "model": {"norm": {"layer": {}, "dummy": {"size": [4, 8]}}},
    "recipe": {"mask_rate": [0.1, 0.2], "optimizer": {"adamw": {}, "dummy": {"size": [2, 4]}},
               "objective": ["mlm", "dummy+mlm", "mlm > dummy"]},
}  # fmt: skip


def slotted():
    return FlexiBertSpace(SpaceDefinition.from_dict(SLOTTED), "slotted")


def test_what_stands_in_slots_and_recipe_is_chosen(dummies):
    space = slotted()
    categories, rng = Categories(space), np.random.default_rng(0)
    sample = space.sample(80, seed=1)
    assert all(made_by(categories, a) == a for a in sample)
    assert all(
        categories.build(lambda choice, options: options[rng.integers(len(options))]) in space
        for _ in range(40)
    )
    listed = FiniteSpace(sample)
    of_list = Categories(listed)
    assert all(made_by(of_list, a) == a for a in listed)


def test_a_setting_is_a_choice_of_its_own_where_its_kind_stands(dummies):
    space = slotted()
    categories = Categories(space)
    for a in space.sample(60, seed=2):
        found = categories.encode(a)
        kind = a.layers[0].part("feedforward").kind
        assert found["0.layer feedforward.0"] == (["mlp", "dummy"].index(kind), 2)
        assert ("0.layer feedforward=dummy.size.0" in found) == (kind == "dummy")
        assert ("0.model norm=dummy.size.0" in found) == (a.part("norm").kind == "dummy")
        assert not any("residual" in name for name in found)


def test_what_stands_alone_in_a_list_is_built(dummies):
    listed = FiniteSpace([a for a in slotted() if a.part("norm").kind == "dummy"][:40])
    categories = Categories(listed)
    assert all(made_by(categories, a) == a for a in listed)
    outside = load_space("flexibert-micro").sample(1, seed=0)[0]
    kept = categories.encode(outside)
    assert all(0 <= number < count for number, count in kept.values())
