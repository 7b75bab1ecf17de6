"""A kind from outside, in every slot, is known to everything that a space does, by registering it.

No list of kinds is anywhere: what these tests ask of "dummy" holds for the next idea too.
"""

import itertools

import numpy as np
import pytest

from search_spaces import (
    Architecture,
    FlexiBertSpace,
    count_flops,
    count_parameters,
    count_parameters_as_published,
    embed_stream,
    graph_edit_distance,
    initial_design,
    interpolate,
    pairwise_distances,
)
from search_spaces.architectures.facts import Columns
from search_spaces.architectures.layers import Head
from search_spaces.errors import InvalidArchitecture, InvalidSpace
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, RECIPE_SLOTS, SLOTS, Kind
from search_spaces.vectors.weisfeiler_lehman import weisfeiler_lehman_distances

PLAIN = {
    "layers": [1, 2], "widths": [32, 64], "heads": [2], "operations": {"sa": ["sdp"]},
    "feedforward_widths": [48, 96], "feedforward_depths": [1],
}  # fmt: skip
OPTIONS = {"dummy": {"size": [2, 4, 8], "manner": ["plain", "odd"]}}


def space_of(**more):
    return FlexiBertSpace(SpaceDefinition.from_dict({**PLAIN, **more}), "dummies")


def of_slot(slot):
    """Return a space in which one slot has two kinds, one of them with settings."""
    usual = {SLOTS[slot].default: {}} if SLOTS[slot].default else {"absolute": {}}
    if slot == "mixer":
        return space_of(operations={"sa": ["sdp"], "dummy": OPTIONS["dummy"]})
    if slot in LAYER_SLOTS:
        return space_of(**{SLOTS[slot].plural: {**usual, **OPTIONS}})
    return space_of(**{SLOTS[slot].level: {slot: {**usual, **OPTIONS}}})


ALL = ("mixer", *LAYER_SLOTS, *MODEL_SLOTS, *RECIPE_SLOTS)
every_slot = pytest.mark.parametrize("slot", ALL)


@every_slot
def test_it_is_counted_numbered_and_written(dummies, slot):
    space, plain = of_slot(slot), space_of()
    every = list(space)
    assert len({a.hash for a in every}) == len(every) == space.size > plain.size
    assert {a.hash for a in plain} & {a.hash for a in every} or slot in (
        "positions",
        *RECIPE_SLOTS,
    )
    for i, architecture in enumerate(every[:: max(1, len(every) // 40)]):
        i *= max(1, len(every) // 40)
        assert space.index_of(architecture) == i
        again = Architecture.from_dict(architecture.to_dict())
        assert again == architecture
        assert again.describe() == architecture.describe()
        assert again.parts == architecture.parts
    assert any("dummy" in a.describe() for a in every)
    assert any("dummy" in str(a.to_dict()) for a in every)


def test_the_usual_kind_has_the_number_of_its_place_and_is_not_offered_by_itself():
    space, plain = space_of(model={"norm": ["rms", "layer"]}), next(iter(space_of()))
    assert [space.index_of(a) for a in space] == list(range(space.size))
    assert plain in space
    assert plain not in space_of(model={"norm": ["rms"]})


@every_slot
def test_steps_lead_everywhere_and_back(dummies, slot):
    space = of_slot(slot)
    start = space.architecture_at(0)
    reached, border = {start}, [start]
    while border:
        border = [n for a in border for n in space.neighbours(a) if n not in reached]
        reached |= set(border)
    assert len(reached) == space.size
    rng = np.random.default_rng(0)
    a, b = space.sample(2, seed=1)
    for _ in range(20):
        assert space.crossover(a, b, rng) in space
        assert space.mutate(a, rng) in space


@every_slot
def test_designs_and_what_lies_between_know_it(dummies, slot):
    space = of_slot(slot)
    for design in ("latin-hypercube", "sobol"):
        made = initial_design(space, 12, 0, design)
        assert all(a in space for a in made)
        with_dummy = sum("dummy" in a.describe() for a in made)
        assert 2 <= with_dummy <= 12
    a, b = space.sample(2, seed=2)
    between = interpolate(a, b, space)
    found = list(itertools.islice(iter(between), 200))
    assert all(x in space and x in between for x in found)
    assert {a, b} <= set(between) if between.size <= 200 else True


@every_slot
def test_distances_are_a_metric_that_sees_it(dummies, slot):
    space = of_slot(slot)
    sample = space.sample(24, seed=3)
    d = pairwise_distances(sample)
    assert np.allclose(d, d.T)
    assert (d[~np.eye(len(d), dtype=bool)] > 1e-9).all()
    worst = (d[:, None, :] - d[:, :, None] - d[None].transpose(0, 1, 2)).max()
    assert worst < 1e-9
    for a, b in itertools.islice(itertools.combinations(range(24), 2), 30):
        assert graph_edit_distance(sample[a], sample[b]) == pytest.approx(d[a, b])
    assert (weisfeiler_lehman_distances(sample)[~np.eye(24, dtype=bool)] > 1e-6).all()


@every_slot
def test_millions_at_a_time_see_it(dummies, slot):
    space = of_slot(slot)
    streamed = embed_stream(space, 40, 4, landmarks=12)
    for i in range(40):
        assert streamed.architecture(i).hash[:32] == streamed.digests[i].tobytes().hex()
    again = streamed.transform([streamed.architecture(i) for i in range(40)])
    np.testing.assert_allclose(again, streamed.vectors, atol=1e-5)


@every_slot
def test_its_facts_are_columns_only_where_it_varies(dummies, slot):
    assert not Columns.of(space_of())
    columns = Columns.of(of_slot(slot))
    names = columns.layer_names + columns.model_names
    assert f"{slot}=dummy" in names
    assert f"log2 {slot}.size" in names
    assert f"{slot}.manner=odd" in names
    sample = of_slot(slot).sample(10, seed=4)
    read = Columns.among(sample)
    assert set(read.layer_names + read.model_names) <= set(names)


@pytest.mark.parametrize("slot", LAYER_SLOTS)
def test_what_it_says_it_costs_is_counted(dummies, slot):
    layers = space_of().architecture_at(0).layers
    base = Architecture(layers)
    usual = SLOTS[slot].kinds[SLOTS[slot].default]
    shape = layers[0].shape(2 * layers[0].width, last=True)
    for size in (4, 16):
        text = "dummy" if size == 4 else f"dummy(size={size})"
        changed = Architecture(
            [type(x)(x.width, x.heads, x.feedforward, {slot: text}) for x in layers]
        )
        had = usual.parameters(shape, layers[0].part(slot))
        more = layers[0].width * size - had
        given = {"vocabulary_size": 50}
        assert count_parameters(changed, **given) == count_parameters(base, **given) + more
        had = usual.flops(shape, layers[0].part(slot), 16)
        given = {"vocabulary_size": 50, "length": 16}
        assert count_flops(changed, **given) == count_flops(base, **given) + 16 * 32 - had


@every_slot
def test_published_costs_refuse_what_the_publication_does_not_have(dummies, slot):
    space = of_slot(slot)
    sample = [a for a in space if "dummy" in a.describe()][:2]
    with pytest.raises(InvalidArchitecture):
        pairwise_distances(sample, costs="published")
    if slot not in ("mixer", *RECIPE_SLOTS):
        with pytest.raises(InvalidArchitecture, match="count_parameters"):
            count_parameters_as_published(sample[0])


def test_a_mixer_with_settings_is_written_with_its_width(dummies):
    head = Head.parse("dummy(manner=odd,size=2)_16")
    assert (head.operation, head.parameter, head.width) == ("dummy", "manner=odd,size=2", 16)
    assert str(head) == "dummy(manner=odd,size=2)_16"
    assert str(Head.parse("dummy_16")) == "dummy_16"
    assert Head.parse("dummy(size=4)_16") == Head.parse("dummy_16")
    for wrong in ("dummy(size=0)_16", "dummy(nothing=1)_16", "dummy(size=2)", "dummy_x_16"):
        with pytest.raises(InvalidArchitecture):
            Head.parse(wrong)


def test_kinds_that_refuse_each_other_are_refused_when_the_space_is_read(dummies):
    reason = "it has no queries"
    SLOTS["block"].kinds.register("loner")(
        Kind("loner", "a test kind", refuses={"feedforward": {"dummy": reason}})
    )
    try:
        with pytest.raises(InvalidSpace, match=f"{reason}.*mlp"):
            space_of(blocks={"loner": {}}, feedforwards={"mlp": {}, "dummy": {}})
        layer = space_of().architecture_at(0).layers[0]
        parts = {"block": "loner", "feedforward": "dummy"}
        both = type(layer)(layer.width, layer.heads, layer.feedforward, parts)
        with pytest.raises(InvalidArchitecture, match=reason):
            Architecture([both])
    finally:
        del SLOTS["block"].kinds._entries["loner"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"feedforwards": {"dumy": {}}}, "dumy.*Available.*mlp"),
        ({"feedforwards": {"dummy": {"sise": [1]}}}, "sise.*size"),
        ({"feedforwards": {"dummy": {"size": [0]}}}, "0.*Allowed"),
        ({"feedforwards": {"dummy": {"size": []}}}, "empty list"),
        ({"feedforwards": ["dummy", "dummy"]}, "more than once"),
        ({"feedforwards": "dummy"}, "mapping"),
        ({"blocks": {"dummy": [4]}}, "mapping"),
        ({"model": {"nrm": {}}}, "nrm.*norm"),
        ({"model": ["norm"]}, "mapping"),
        ({"recipe": {"tokenizer": ["bpe"]}}, "tokenizer.*Allowed"),
        ({"recipe": {"mask_rate": [0.1, 0.1]}}, "different"),
        ({"recipe": {"mask_rate": {"from": 1, "to": 0, "steps": 3}}}, "LOW < HIGH"),
        ({"recipe": {"mask_rate": ["x"]}}, "different values"),
        ({"recipe": {"optimizer": ["adamw+dummy"]}}, "one optimizer"),
        ({"recipe": {"objective": ["nothing"]}}, "nothing.*mlm"),
    ],
)
def test_a_space_that_offers_what_is_not_there_is_refused_with_what_is(dummies, more, words):
    with pytest.raises(InvalidSpace, match=words):
        space_of(**more)
