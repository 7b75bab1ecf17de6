from itertools import product

import pytest

from search_spaces import Embedding, FlexiBertSpace, load_space, named_architecture
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.interpolation import interpolate
from search_spaces.refinement import refine, refined_candidates

TEST, FINE, FINEST = (load_space(f"flexibert-test{end}") for end in ("", "-fine", "-finest"))
SMALL = {
    "layers": [1, 2],
    "widths": [8, 12],
    "heads": [2, 4],
    "operations": {"sa": ["sdp"], "l": ["dct"], "c": [3]},
    "feedforward_widths": [4, 6],
    "feedforward_depths": [1, 2],
}
VARIANTS = [
    {},
    {"heads_in_layer": "mixed"},
    {"shared": "width"},
    {"shared": "everything"},
    {"layers": [2, 4], "layers_per_stack": 2, "widths": [8]},
    {"feedforward": "heterogeneous"},
    {"heads": [2, 3], "widths": [8, 9, 12]},
    {"layers": [2, 3], "widths": [8], "heads": [2], "feedforward_depths": [1]},
]


def small(**changes):
    return FlexiBertSpace(SpaceDefinition.from_dict({**SMALL, **changes}), "small")


def lies_between(child, a, b):
    """The definition, said a second time: every choice is a parent's at the same relative depth."""
    if len(child) not in (len(a), len(b)):
        return False
    for i, layer in enumerate(child.layers):
        near = []
        for parent in (a, b):
            for j, other in enumerate(parent.layers):
                # do layer i of the child and layer j of the parent overlap, both scaled to [0, 1]?
                if i * len(parent) < (j + 1) * len(child) and j * len(child) < (i + 1) * len(
                    parent
                ):
                    near.append(other)
        inside = (
            layer.width in {x.width for x in near}
            and len(layer.heads) in {len(x.heads) for x in near}
            and {h.kind for h in layer.heads} <= {h.kind for x in near for h in x.heads}
            and len(layer.feedforward) in {len(x.feedforward) for x in near}
            and set(layer.feedforward) <= {w for x in near for w in x.feedforward}
        )
        if not inside:
            return False
    return True


@pytest.mark.parametrize("changes", VARIANTS)
def test_what_lies_between_two_is_all_of_the_space_that_does(changes):
    space = small(**changes)
    members = list(space) if space.size < 4_000 else space.sample(3_000)
    for seed in range(4):
        a, b = space.sample(2, seed=seed)
        between = interpolate(a, b, space)
        listed = list(between)
        assert len(listed) == len(set(listed)) == between.size
        assert all(child in space and lies_between(child, a, b) for child in listed)
        assert {a, b} <= set(listed)
        expected = {member for member in members if lies_between(member, a, b)}
        assert expected <= set(listed)
        for member in members[:300]:
            assert (member in between) == (member in expected)


def test_an_interpolation_is_a_space():
    a, b = (named_architecture(name) for name in ("flexibert-mini", "convbert-mini"))
    between = interpolate(a, b, FINEST)
    drawn = between.sample(30, seed=1)
    assert len(set(drawn)) == 30
    assert drawn == between.sample(30, seed=1) != between.sample(30, seed=2)
    for neighbour in between.neighbours(drawn[0]):
        assert neighbour in between
    assert named_architecture("bert-tiny") not in between
    assert "bert-mini" not in between
    assert len(between.features(drawn[0])) == len(FINEST.features(drawn[0]))
    with pytest.raises(InvalidSpace, match="none numbered"):
        between.architecture_at(between.size)


def test_parents_of_different_depth_and_of_a_coarser_space():
    shallow, deep = (next(a for a in TEST.sample(3_000) if len(a) == n) for n in (2, 4))
    between = interpolate(shallow, deep, FINE)
    drawn = [*between.sample(min(between.size, 300))]
    assert {len(child) for child in drawn} == {2, 4} or between.size > 300
    assert {shallow, deep} <= set(between)
    assert all(lies_between(child, shallow, deep) and child in FINE for child in drawn)


def test_mixed_heads_between_two():
    space = load_space("flexibert-2")
    a, b = space.sample(2, seed=3)
    between = interpolate(a, b, space)
    assert a in between
    assert b in between
    assert all(lies_between(child, a, b) for child in between.sample(20))


def test_nothing_between():
    with pytest.raises(InvalidSpace, match="No architecture of the space 'small' lies between"):
        interpolate(named_architecture("bert-mini"), named_architecture("bert-tiny"), small())


@pytest.mark.golden
def test_the_chain_of_the_paper():
    fine = refine(TEST)
    finest = refine(fine)
    assert [(x.name, x.size) for x in (TEST, fine, finest)] == [
        ("flexibert-test", 9_312),
        ("flexibert-test-fine", 84_943_872),
        ("flexibert-test-finest", 3_317_817_600),
    ]
    assert (fine.definition, finest.definition) == (FINE.definition, FINEST.definition)
    with pytest.raises(InvalidSpace, match="cannot be refined: .* already chosen one by one"):
        refine(finest)


@pytest.mark.parametrize("name", ["flexibert-test", "flexibert-large", "flexibert-small", "bert"])
def test_every_coarse_architecture_is_in_the_finer_space(name):
    space, steps = load_space(name), []
    while True:
        try:
            finer = refine(space)
        except InvalidSpace:
            break
        assert finer.size > space.size
        assert all(architecture in finer for architecture in space.sample(60, seed=2))
        steps.append((finer.definition.layers_per_stack, finer.definition.feedforward))
        space = finer
    runs = {"flexibert-large": [3, 1, 1], "bert": []}.get(name, [1, 1])
    assert [run for run, _ in steps] == runs
    assert [kind for _, kind in steps][-1:] == (["heterogeneous"] if runs else [])


def test_all_of_the_coarse_paper_space_is_in_the_finer_ones():
    assert all(a in FINE and a in FINEST for a in TEST)


def test_names_of_refined_spaces():
    assert refine(load_space("flexibert-large")).name == "flexibert-large+layers_per_stack=3"
    assert refine(small()).name == "small+feedforward=heterogeneous"


def test_candidates_lie_between_a_pair():
    coarse = TEST.sample(200, seed=3)
    placed = Embedding(coarse, 8)
    best = coarse[:4]
    near = [found[1:] for found in placed.nearest(placed.transform(best), 4)]
    drawn = refined_candidates(best, near, TEST, FINE, 120, seed=1)
    assert len(drawn) == len({a.hash for a in drawn}) == 120
    assert drawn == refined_candidates(best, near, TEST, FINE, 120, seed=1)
    assert drawn != refined_candidates(best, near, TEST, FINE, 120, seed=2)
    pairs = [p for p in product(best, best) if p[0] != p[1]]
    pairs += [(a, b) for a, around in zip(best, near, strict=True) for b in around]
    for a in drawn:
        assert a in FINE
        assert a not in best
        assert any(lies_between(a, *pair) for pair in pairs)
    # every pair that has something to give gives
    used = [pair for pair in pairs if any(lies_between(a, *pair) for a in drawn)]
    assert len(used) == len(pairs)
    assert sum(a not in TEST for a in drawn) > 60


def test_fewer_candidates_where_fewer_exist():
    a, b = TEST.sample(2, seed=8)
    between = set(interpolate(a, b, TEST)) - {a, b}
    assert set(refined_candidates([a, b], [[], []], TEST, TEST, 10_000)) == between
    alone = refined_candidates([a], [[]], TEST, FINEST, 10_000)
    assert all(lies_between(child, a, a) for child in alone)


def test_what_cannot_be_refined_around():
    a, stranger = TEST.sample(1)[0], named_architecture("bert-base")
    with pytest.raises(InvalidSpace, match="Given 1 best architectures and 0 lists"):
        refined_candidates([a], [], TEST, FINE, 3)
    with pytest.raises(InvalidSpace, match="Given 0 best"):
        refined_candidates([], [], TEST, FINE, 3)
    with pytest.raises(InvalidSpace, match="not in the coarse space 'flexibert-test'"):
        refined_candidates([a], [[stranger]], TEST, FINE, 3)
