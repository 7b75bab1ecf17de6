"""Every named space keeps the contract of search_spaces/space.py; a new YAML needs no new test."""

from itertools import islice

import numpy as np
import pytest
from scipy.stats import chisquare

from search_spaces import (
    Architecture,
    FiniteSpace,
    FlexiBertSpace,
    Space,
    list_spaces,
    load_space,
    named_architecture,
)
from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.flexibert.choices import Choices
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.space import draw_below, draw_distinct

OUTSIDE = Architecture.from_dict(
    {"l": 1, "o": ["sa"], "p": ["sdp"], "h": [6], "n": [3], "f": [[7]]}
)
SMALL = {
    "layers": [1, 2],
    "widths": [8, 12],
    "heads": [2, 4],
    "operations": {"sa": ["sdp"], "c": [3]},
    "feedforward_widths": [4],
    "feedforward_depths": [1, 2],
}


def small(**changes):
    return FlexiBertSpace(SpaceDefinition.from_dict({**SMALL, **changes}), "small")


class Pair(Space):
    """The least a third party writes: three methods."""

    name = "pair"
    members = tuple(small().sample(2))

    def sample(self, n, seed=0, *, accept=None):
        rng = np.random.default_rng(seed)
        return draw_distinct(n, 2, rng, self.members.__getitem__, accept, self.name)

    def neighbours(self, architecture):
        return [member for member in self.members if member != architecture]

    def __contains__(self, architecture):
        return architecture in self.members


SPACES = {name: load_space(name) for name in list_spaces()}
SPACES["finite"] = FiniteSpace(load_space("flexibert-test").sample(60))
SPACES["pair"] = Pair()
SPACES["mixed-stacks"] = small(heads_in_layer="mixed", layers=[2, 4], layers_per_stack=2)
SPACES["heterogeneous-uniform"] = small(
    shared="everything", feedforward="heterogeneous", feedforward_widths=[4, 6]
)
# its small sister does every day
SLOW = {"everything": pytest.mark.slow}
every_space = pytest.mark.parametrize(
    "space", [pytest.param(s, id=name, marks=SLOW.get(name, ())) for name, s in SPACES.items()]
)


@every_space
def test_samples_are_distinct_members_and_repeatable(space):
    count = min(space.size or 2, 50)
    drawn = space.sample(count, seed=1)
    assert len(set(drawn)) == count
    assert all(architecture in space for architecture in drawn)
    assert space.sample(count, seed=1) == drawn
    assert space.sample(count // 2, seed=1) == drawn[: count // 2]
    if count == 50:
        assert space.sample(count, seed=2) != drawn
    assert space.sample(0) == []


@every_space
def test_neighbours_are_distinct_other_members(space):
    for architecture in space.sample(min(space.size or 2, 3), seed=2):
        neighbours = space.neighbours(architecture)
        assert neighbours
        assert len(set(neighbours)) == len(neighbours)
        assert architecture not in neighbours
        assert all(neighbour in space for neighbour in neighbours)


@every_space
def test_children_are_members_and_repeatable(space):
    first, second = space.sample(2, seed=3)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        mutant, child = space.mutate(first, rng), space.crossover(first, second, rng)
        assert mutant in space
        assert mutant != first
        assert child in space
        again = np.random.default_rng(seed)
        assert (space.mutate(first, again), space.crossover(first, second, again)) == (
            mutant,
            child,
        )


@every_space
def test_features_have_one_length_and_tell_members_apart(space):
    features = np.array([space.features(a) for a in space.sample(min(space.size or 2, 30))])
    assert features.dtype == np.float64
    assert np.isfinite(features).all()
    assert len(np.unique(features, axis=0)) == len(features)


@every_space
def test_dictionaries_of_members_round_trip(space):
    for architecture in space.sample(min(space.size or 2, 10)):
        again = Architecture.from_dict(architecture.to_dict())
        assert again == architecture
        assert again.to_dict() == architecture.to_dict()
        assert again in space


@every_space
def test_strangers_are_refused(space):
    assert OUTSIDE not in space
    assert "bert-mini" not in space
    if isinstance(space, Pair):
        return
    with pytest.raises(InvalidSpace, match="1 layers 6 .* is not in the space"):
        space.neighbours(OUTSIDE)
    with pytest.raises(InvalidSpace, match="is not in the space"):
        space.crossover(space.sample(1)[0], OUTSIDE, np.random.default_rng(0))


@pytest.mark.parametrize("name", list_spaces())
def test_numbers_and_architectures_correspond(name):
    space = load_space(name)
    size = space.size
    for index in (0, 1, size // 3, size - 1):
        assert space.index_of(space.architecture_at(index)) == index
    for index in (-1, size):
        with pytest.raises(InvalidSpace, match="has no architecture number"):
            space.architecture_at(index)
    with pytest.raises(InvalidSpace, match="is not in the space"):
        space.index_of(OUTSIDE)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("flexibert-test", 9_312),
        ("flexibert-micro", 9_312),
        ("flexibert-test-fine", 84_943_872),
        ("flexibert-test-finest", 3_317_817_600),
        ("flexibert-small", 63_756),
        ("nas-bench-bert", 10_621_440),
    ],
)
def test_published_sizes(name, size):
    assert load_space(name).size == size
    assert len(load_space(name)) == size


@pytest.mark.golden
def test_published_sizes_of_the_large_spaces():
    assert f"{load_space('flexibert-full').size:.2e}" == "4.33e+08"
    assert f"{load_space('flexibert-2').size:.4e}" == "1.6859e+88"
    # widths, feed-forward stacks and multisets of heads of one layer
    layer = 4 * 258 * 21_805
    assert load_space("flexibert-2").size == sum(layer**depth for depth in range(2, 13, 2))


@pytest.mark.golden
def test_published_choices_of_one_layer_of_flexibert_2():
    choices = Choices(load_space("flexibert-2").definition)
    assert len(choices.bodies) == 258
    assert choices.count(768) == 258 * 21_805


@pytest.mark.golden
def test_depths_of_the_paper_space():
    depths = [len(architecture) for architecture in load_space("flexibert-test")]
    assert (depths.count(2), depths.count(4)) == (96, 9_216)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"heads_in_layer": "mixed"},
        {"shared": "width"},
        {"shared": "everything"},
        {"layers": [2, 4], "layers_per_stack": 2},
        {"feedforward": "heterogeneous", "feedforward_widths": [4, 6], "layers": [1]},
        {"heads": [2, 3], "widths": [8, 9]},
    ],
)
def test_listing_gives_every_architecture_once(changes):
    space = small(**changes)
    listed = list(space)
    assert len(listed) == space.size == len(set(listed))
    assert set(space.sample(space.size)) == set(listed)


def test_lengths_that_len_cannot_return():
    with pytest.raises(OverflowError, match=r"1\.6859e\+88 architectures.* Use space\.size"):
        len(load_space("flexibert-2"))
    with pytest.raises(TypeError, match="'pair' cannot count"):
        len(Pair())
    assert repr(load_space("flexibert-test")) == "<FlexiBertSpace 'flexibert-test': 9,312>"
    assert repr(Pair()) == "<Pair 'pair': ?>"
    first = islice(load_space("flexibert-2"), 3)
    assert len(set(first)) == 3


def test_sampling_is_uniform():
    space = small()
    # exact: the first of each permutation is uniform, over depth too
    draws = [space.index_of(space.sample(1, seed=seed)[0]) for seed in range(3_000)]
    counts = np.bincount(draws, minlength=space.size)
    assert chisquare(counts).pvalue > 1e-3


def test_sampling_beyond_a_permutation_is_uniform():
    space = load_space("flexibert-test-fine")
    drawn = space.sample(4_000, seed=0)
    assert len(set(drawn)) == 4_000
    kinds = [next(iter(architecture.layers[0].kinds)) for architecture in drawn]
    assert chisquare(np.unique(kinds, return_counts=True)[1]).pvalue > 1e-3


def test_sampling_a_whole_large_space_ends(monkeypatch):
    monkeypatch.setattr("search_spaces.space.PERMUTED", 10)
    space = small()
    assert len(set(space.sample(space.size))) == space.size


@pytest.mark.parametrize("bound", [1, 2, 7, 2**70 + 3])
def test_drawn_numbers_are_below_the_bound(bound):
    rng = np.random.default_rng(0)
    drawn = [draw_below(bound, rng) for _ in range(200)]
    assert 0 <= min(drawn) <= max(drawn) < bound
    assert max(drawn) >= bound * 0.9 - 1


def test_constraints_are_met_while_sampling():
    space = load_space("flexibert-2")
    drawn = space.sample(20, accept=lambda architecture: len(architecture) == 12)
    assert all(len(architecture) == 12 for architecture in drawn)
    with pytest.raises(InvalidSpace, match="Found only 0 of 1 .* Loosen the constraint"):
        load_space("flexibert-test").sample(1, accept=lambda architecture: False)


@pytest.mark.parametrize("n", [-1, 9_313])
def test_asking_for_too_many(n):
    with pytest.raises(InvalidSpace, match="which has 9,312. Ask for 0 to 9,312"):
        load_space("flexibert-test").sample(n)


def test_named_architectures_are_where_they_belong():
    assert named_architecture("flexibert-mini") in load_space("flexibert-test")
    assert named_architecture("flexibert-large") in load_space("flexibert-large")
    assert named_architecture("bert-base") in load_space("bert")
    assert named_architecture("bert-base") in load_space("flexibert-2")
    assert named_architecture("flexibert-mini") not in load_space("nas-bench-bert")


def test_neighbours_of_a_known_architecture():
    space = small(widths=[8])
    start = next(x for x in space if len(x) == 1 and x.describe().startswith("1 layers 8 | 2×sa"))
    found = [neighbour.describe() for neighbour in space.neighbours(start)]
    assert sorted(found) == [
        "1 layers 8 | 2×c_3 | ff 4",
        "1 layers 8 | 2×sa_sdp | ff 4²",
        "1 layers 8 | 4×sa_sdp | ff 4",
        "2 layers 8·8 | 2×sa_sdp in all | ff 4 in all",
    ]


@pytest.mark.parametrize("changes", [{}, {"heads": [2, 3], "widths": [4, 6]}])
def test_steps_lead_everywhere(changes):
    # three heads do not divide a width of 4, so not all layers of width 6 have a twin there
    space = small(shared="width", **changes)
    seen, open_ = set(), [space.sample(1)[0]]
    while open_:
        here = open_.pop()
        if here not in seen:
            seen.add(here)
            open_ += space.neighbours(here)
    assert len(seen) == space.size


def test_crossover_takes_from_both_parents():
    space = load_space("flexibert-test-fine")
    a, b = (x for x in space.sample(40, seed=1)[:2])
    children = {space.crossover(a, b, np.random.default_rng(seed)) for seed in range(40)}
    assert len(children) > 10
    for child in children:
        for layer, first, second in zip(child.layers, a.layers, b.layers, strict=True):
            assert layer.feedforward in (first.feedforward, second.feedforward)
            assert layer.width in (first.width, second.width)
            assert layer.kinds in (first.kinds, second.kinds)


def test_parents_of_different_depth_meet_at_the_same_relative_depth():
    space = small(layers=[2, 4], heads=[2], widths=[8], feedforward_widths=[16, 32, 48, 64])
    shallow, deep = (
        next(a for a in space if [layer.feedforward for layer in a.layers] == stacks)
        for stacks in ([(16,), (32,)], [(16,), (48,), (64,), (32,)])
    )
    seen = {2: [set(), set()], 4: [set(), set(), set(), set()]}
    for seed in range(60):
        child = space.crossover(shallow, deep, np.random.default_rng(seed))
        for place, layer in zip(seen[len(child.layers)], child.layers, strict=True):
            place.update(layer.feedforward)
    assert seen[2] == [{16}, {32, 64}]
    assert seen[4] == [{16}, {16, 48}, {32, 64}, {32}]


def test_crossover_where_heads_do_not_divide_the_width():
    space = small(heads=[2, 3], widths=[4, 9], shared="width")
    members = list(space)
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = rng.integers(len(members), size=2)
        assert space.crossover(members[a], members[b], rng) in space


@pytest.mark.golden
def test_indices_of_flexibert_2():
    space = load_space("flexibert-2")
    first, last = space.architecture_at(0), space.architecture_at(space.size - 1)
    assert space.indices_of(first).tolist() == [0] * 37
    assert space.indices_of(last).tolist() == [5, *[3, 257, 21_804] * 12]
    with pytest.raises(InvalidSpace, match="is not in the space"):
        space.indices_of(OUTSIDE)


def test_a_space_of_one_cannot_mutate():
    only = small(layers=[1], widths=[8], heads=[2], operations={"c": [3]}, feedforward_depths=[1])
    assert only.size == 1
    for space in (only, FiniteSpace(only.sample(1))):
        with pytest.raises(InvalidSpace, match="has no neighbours in the space"):
            space.mutate(only.sample(1)[0], np.random.default_rng(0))
    child = FiniteSpace(only).crossover(*only.sample(1), *only.sample(1), np.random.default_rng(0))
    assert child in only


def test_finite_space_holds_what_it_is_given():
    members = load_space("flexibert-test").sample(20)
    space = FiniteSpace([*members, *members], name="table")
    assert list(space) == members
    assert len(space) == 20
    assert len(space.neighbours(members[0])) == 10
    with pytest.raises(InvalidSpace, match="at least one architecture"):
        FiniteSpace([])
    with pytest.raises(InvalidSpace, match="not dict. Build one .* Architecture.from_dict"):
        FiniteSpace([members[0].to_dict()])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": [2]}, "no key 'layer'. Did you mean 'layers'"),
        ({"zzz": [2]}, "no key 'zzz'. Allowed keys: layers, widths"),
        ({"layers": []}, r"layers is \[\]\. Give a list of whole numbers"),
        ({"layers": 2}, "layers is 2. Give a list"),
        ({"widths": [128, -1]}, "widths contains -1. Give positive whole numbers"),
        ({"heads": [2, True]}, "heads contains True"),
        ({"widths": [8, 8]}, "widths contains 8 more than once"),
        ({"widths": [7]}, "width 7 goes with none of the numbers of heads 2, 4"),
        ({"layers": [2, 3], "layers_per_stack": 2}, "layers contains 3, which is not a multiple"),
        ({"layers_per_stack": 0}, "layers_per_stack is 0"),
        ({"feedforward": "homogenous"}, "'homogenous'. Did you mean 'homogeneous'"),
        ({"heads_in_layer": "all"}, "No value of 'heads_in_layer' is called 'all'"),
        ({"shared": True}, "No value of 'shared' is called True"),
        ({"operations": ["sa"]}, "operations is .* Give a mapping from operation"),
        ({"operations": {"sa": "sdp"}}, "operations.sa is 'sdp'. Give a list"),
        ({"operations": {"sb": ["sdp"]}}, "No operation is called 'sb'"),
        ({"operations": {"c": [4]}}, "operations.c is 4, which operation 'c'"),
        ({"operations": {"c": [5, 5]}}, "a value more than once"),
        ({"description": 3}, "description is 3"),
    ],
)
def test_bad_definitions_say_what_to_do(changes, message):
    with pytest.raises(InvalidSpace, match=message):
        SpaceDefinition.from_dict({**SMALL, **changes})


def test_incomplete_definitions():
    incomplete = {key: value for key, value in SMALL.items() if key != "heads"}
    with pytest.raises(InvalidSpace, match="has no 'heads'. Every space needs layers, widths"):
        SpaceDefinition.from_dict(incomplete)
    with pytest.raises(InvalidSpace, match="is a mapping from keys to values, not a list"):
        SpaceDefinition.from_dict([SMALL])
    assert small().definition.kinds == (("sa", "sdp"), ("c", 3))


def test_a_space_from_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("layers: [1]\nwidths: [8]\nheads: [2]\noperations: {c: [3]}\n")
    with pytest.raises(InvalidSpace, match=r"mine.yaml: The space has no 'feedforward_widths'"):
        load_space(path)
    with path.open("a") as file:
        file.write("feedforward_widths: [4]\nfeedforward_depths: [1]\n")
    assert (load_space(str(path)).name, load_space(path).size) == ("mine", 1)
    path.write_text("layers: [1\n")
    with pytest.raises(InvalidSpace, match="mine.yaml is no valid YAML"):
        load_space(path)
    with pytest.raises(InvalidSpace, match="There is no file 'none.yaml'.* flexibert-test"):
        load_space("none.yaml")
    with pytest.raises(UnknownName, match="'flexibert-tset'. Did you mean 'flexibert-test'"):
        load_space("flexibert-tset")


@pytest.mark.parametrize("name", list_spaces())
def test_named_spaces_describe_themselves(name):
    assert load_space(name).definition.description.endswith(".")


def begun_with(*first):
    definition = {
        "layers": [1, 2], "widths": [8], "heads": [1, 2], "operations": {"sa": ["sdp"]},
        "feedforward_widths": [4], "feedforward_depths": [1],
    }  # fmt: skip
    return load_space({**definition, "first": list(first)})


def test_a_space_says_what_a_search_begins_with():
    plain = begun_with()
    chosen = plain.sample(2, seed=3)
    space = begun_with(*(a.to_dict() for a in chosen), chosen[0].to_dict())
    assert space.first == tuple(chosen)
    assert plain.first == ()
    assert space.definition == plain.definition


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("bert", "first is 'bert'. Give a list of architectures"),
        ([7], "first, architecture 1: "),
        ([{"l": 1}], "first, architecture 1: "),
        (
            [{"l": 1, "o": ["sa"], "h": [16], "n": [2], "f": [[4]], "p": ["sdp"]}],
            "first, architecture 1 .* is none of the space",
        ),
    ],
)
def test_what_is_no_architecture_of_the_space_is_no_beginning(first, message):
    definition = {
        "layers": [1, 2], "widths": [8], "heads": [1, 2], "operations": {"sa": ["sdp"]},
        "feedforward_widths": [4], "feedforward_depths": [1],
    }  # fmt: skip
    with pytest.raises(InvalidSpace, match=message):
        load_space({**definition, "first": first})
