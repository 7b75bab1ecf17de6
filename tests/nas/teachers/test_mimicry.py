"""Another mixer in a teacher's layer comes near to its attention before anything is learned."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from nas.config import make_experiment
from nas.models.encoder import Encoder
from nas.models.mixers.hedgehog import LinearAttention
from nas.teachers.extraction import extract
from nas.teachers.lessons import Lessons
from nas.teachers.mimicry import _mimic, _regress, fit_mixer, unexplained
from nas.teachers.replacement import replaced_layers
from nas.teachers.space import require_cut, require_inside, teacher_space
from nas.training.preparing import experiment_recipe
from nas.training.recipe import RECIPES
from nas.training.teaching import make_teacher
from nas.training.trial import run_trial
from search_spaces import Architecture, load_space
from search_spaces.errors import InvalidArchitecture, InvalidExperiment

KINDS = ("c_5", "l_dft", "hedgehog", "longconv")


def student(kinds, heads=4, inner=64):
    return Architecture.from_dict(
        {
            "l": len(kinds),
            "o": [[f"{kind}_8"] * heads for kind in kinds],
            "h": [32] * len(kinds),
            "f": [[inner]] * len(kinds),
        }
    )


@pytest.fixture(scope="module")
def recipe():
    return replace(
        RECIPES["checkpoint"],
        slots={"distillation": "hidden"},
        tasks=("stsb",),
        max_length=32,
        block_length=32,
        finetune_batch=8,
        finetune_epochs=1,
        precision="fp32",
        device="cpu",
    )


@pytest.fixture(scope="module")
def taught(tmp_path_factory, teacher, data, recipe):
    folder = tmp_path_factory.mktemp("run") / "teacher"
    data = replace(data, tasks={"stsb": data.tasks["stsb"]}, teacher=folder)
    make_teacher(folder, teacher, data, recipe, seed=0)
    return data


@pytest.fixture
def states(taught):
    from nas.teachers.replacement import _states

    lessons = Lessons(taught.teacher)
    return list(_states(lessons, "stsb", taught.tasks["stsb"]["train"], 1))


def layers(taught, kind, heads=4):
    """The student's layer 1 as extracted, and the teacher's, and the heads that stay."""
    lessons, child = Lessons(taught.teacher), student(["sa_sdp", kind, "sa_sdp"], heads)
    cut = lessons.cut(child, "stsb")
    encoder = Encoder(child, len(cut.encoder["embeddings.tokens.weight"]), max_length=32,
                      dropout=0.0, pooling="mean")  # fmt: skip
    encoder.load_state_dict(cut.encoder)
    return encoder.layers[1], lessons.layer("stsb", 1), cut.origin.heads[1]


@pytest.mark.parametrize(("kind", "heads"), [*((kind, 4) for kind in KINDS), ("hedgehog", 2)])
def test_a_mixer_comes_near_to_the_attention(kind, heads, taught, states):
    layer, whole, kept = layers(taught, kind, heads)
    before = unexplained(layer, whole, states)
    fit_mixer(layer, whole, kept, states)
    after = unexplained(layer, whole, states)
    assert after < 0.7 * before
    assert after < 1  # of what a constant would leave


def test_the_same_fit_again_is_the_same(taught, states):
    found = []
    for _ in range(2):
        layer, whole, kept = layers(taught, "c_5")
        fit_mixer(layer, whole, kept, states)
        found.append(layer.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_linear_attention_learns_to_weigh_as_the_softmax_did(taught, states):
    layer, whole, kept = layers(taught, "hedgehog")
    (mixer,) = layer.mixers.values()
    x, keep = states[0]
    seen = whole.mixers["sa_sdp"].attention_map(x, keep)

    def distance():
        rows = mixer.weights(x, keep)
        assert_close(rows.sum(-1), torch.ones_like(rows.sum(-1)), atol=1e-5, rtol=1e-5)
        gap = (seen * (seen.clamp(min=1e-9).log() - rows.clamp(min=1e-9).log())).sum(-1)
        return float(gap.transpose(1, 2)[keep].mean())

    before = distance()
    others = {n: v.clone() for n, v in layer.state_dict().items() if "_map" not in n}
    _mimic(layer, mixer, whole, kept, states)
    assert distance() < 0.7 * before
    # nothing but the maps has learned
    assert all(torch.equal(layer.state_dict()[name], value) for name, value in others.items())


def test_weights_are_those_that_values_are_gathered_by():
    torch.manual_seed(0)
    mixer = LinearAttention(12, 3, 4)
    x, keep = torch.randn(2, 7, 12), torch.arange(7) < torch.tensor([[7], [4]])
    value = mixer.query_key_value(x).chunk(3, -1)[2].unflatten(-1, (3, 4)).transpose(1, 2)
    expected = (mixer.weights(x, keep) @ value).transpose(1, 2).flatten(2)
    assert_close(mixer(x, keep)[keep], expected[keep], atol=1e-5, rtol=1e-5)


def test_the_map_after_the_mixer_is_a_least_squares_fit(taught, states):
    """A slow twin: its errors are uncorrelated with what it reads, up to the ridge."""
    layer, whole, _ = layers(taught, "c_5")
    with torch.no_grad():
        targets = [whole.mixed(whole.mixers["sa_sdp"](x, keep)) for x, keep in states]
        _regress(layer, states, targets)
        read = torch.cat([layer.mixers["c_5"](x, keep)[keep] for x, keep in states]).double()
    wanted = torch.cat([y[keep] for y, (_, keep) in zip(targets, states, strict=True)]).double()
    mean, level = read.mean(0), wanted.mean(0)
    second = (read - mean).T @ (read - mean) / len(read)
    ridge = 0.01 * second.diagonal().mean()
    weight = layer.mixed.weight.double()
    left = wanted - level - (read - mean) @ weight.T
    assert_close(left.T @ (read - mean) / len(read), ridge * weight, atol=1e-6, rtol=1e-3)


def test_a_mixer_begins_with_the_queries_and_values_of_its_heads(taught):
    lessons = Lessons(taught.teacher)
    weights, worth = lessons.weights("stsb"), lessons.worth("stsb")
    old = weights["layers.1.mixers.sa_sdp.query_key_value.weight"]
    query, key, value = old.unflatten(0, (3, 4, 8)).unbind(0)
    kept = worth[1].kept_heads(2)
    child = student(["sa_sdp", "c_5", "hedgehog"], heads=2)
    found = extract(child, weights, worth, (0, 1, 2))
    assert_close(found["layers.1.mixers.c_5.query_value.weight"],
                 torch.cat([query[kept], value[kept]]).flatten(0, 1))  # fmt: skip
    # another teacher has no biases: zeros stand in their place
    from nas.teachers.mimicry import new_mixer

    bare = {"query.weight": query.flatten(0, 1), "key_value.weight": torch.cat([key, value])
            .flatten(0, 1)}  # fmt: skip
    made = new_mixer(student(["hedgehog"]).layers[0], student(["hedgehog"]), bare)
    assert_close(made["mixers.hedgehog.query_key_value.weight"], old)
    assert not made["mixers.hedgehog.query_key_value.bias"].any()


def test_what_was_fitted_once_is_found_again(taught, recipe):
    folder = taught.teacher / "mixers"
    child, split = student(["c_5", "sa_sdp", "hedgehog"], heads=3), taught.tasks["stsb"]["train"]
    lessons = Lessons(taught.teacher)
    assert replaced_layers(child, lessons.architecture) == [0, 2]
    first = lessons.cut(child, "stsb", split).encoder
    files = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    wider = student(["c_5", "sa_sdp", "hedgehog"], heads=3, inner=24)
    again = lessons.cut(wider, "stsb", split).encoder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == files
    name = "layers.0.mixers.c_5.taps.weight"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], lessons.cut(child, "stsb").encoder[name])
    for path in folder.iterdir():  # what is damaged is fitted again
        path.write_bytes(b"x")
    assert torch.equal(first[name], lessons.cut(child, "stsb", split).encoder[name])
    found = [run_trial(child, recipe, taught, seed=2).scores for _ in range(2)]
    assert found[0] == found[1]


def test_its_space_has_the_mixers_that_are_named(teacher):
    definition = teacher_space(teacher.architecture, ("c_5", "hedgehog", "sa_sdp"))
    require_inside(definition, teacher.architecture, ("c_5", "hedgehog"))
    space = load_space(definition)
    child = student(["c_5", "sa_sdp", "hedgehog"])
    assert child in space
    require_cut(child, teacher.architecture, ("c_5", "hedgehog"))
    with pytest.raises(InvalidExperiment, match="the head c_5_8 in layer 0"):
        require_cut(child, teacher.architecture, ("hedgehog",))
    with pytest.raises(InvalidExperiment, match="offers c_5, for which the checkpoint has no"):
        require_inside(definition, teacher.architecture, ("hedgehog",))
    with pytest.raises(InvalidArchitecture, match="mixers is 'c_4_1'|mixers"):
        teacher_space(teacher.architecture, ("c_4",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mixers": "c_5"}, "mixers is c_5, which are put into a checkpoint's layers"),
        ({"checkpoint": "x", "mixers": "c_5", "recipe": {"distillation": "relations"}},
         "no such map. Give hidden or logits"),
        ({"checkpoint": "x", "mixers": "c_5", "recipe": {"distillation": ["hidden", "stages"]}},
         "distillation is 'stages'"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_mixers_is_refused(settings, message):
    with pytest.raises(InvalidExperiment, match=message):
        experiment_recipe(make_experiment(settings))


def test_settings_of_a_mixer_are_not_parted():
    given = make_experiment({"checkpoint": "x", "mixers": "c_5, longconv(filter=64,hidden=8)"})
    assert given.mixers == ("c_5", "longconv(filter=64,hidden=8)")
