"""A teacher cut in steps: what is left at the end is what was never cut."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.teachers.lessons import Lessons
from nas.training.in_steps import between, by_magnitude, cut_in_steps, share_kept
from nas.training.recipe import RECIPES
from nas.training.teaching import make_teacher
from nas.training.trial import run_trial
from search_spaces import Architecture


def shape(layers, heads, inner, width=32):
    return Architecture.from_dict(
        {
            "l": layers,
            "o": [["sa_sdp_8"] * heads] * layers,
            "h": [width] * layers,
            "f": [[inner]] * layers,
        }
    )


@pytest.fixture(scope="module")
def recipe():
    return replace(
        RECIPES["checkpoint"],
        slots={"distillation": "hidden(steps=2)"},
        tasks=("stsb",),
        max_length=32,
        block_length=32,
        finetune_batch=8,
        precision="fp32",
        device="cpu",
    )


@pytest.fixture(scope="module")
def taught(tmp_path_factory, teacher, data, recipe):
    folder = tmp_path_factory.mktemp("run") / "teacher"
    data = replace(data, tasks={"stsb": data.tasks["stsb"]}, teacher=folder)
    make_teacher(folder, teacher, data, recipe, seed=0)
    return data


def cut(child, data, teacher, *, steps, learn=lambda *given: None, **options):
    def build(architecture):
        options = {"max_length": 32, "dropout": 0.0, "pooling": "mean"}
        return Encoder(architecture, teacher.vocabulary_size, **options)

    head = ClassificationHead(32, 1)
    lessons, split = Lessons(data.teacher), data.tasks["stsb"]["train"]
    return cut_in_steps(
        child, lessons, "stsb", split, steps=steps, build=build, head=head, learn=learn, **options
    )


def test_sizes_between_are_geometric_means():
    whole, child = shape(6, 12, 1536, 96), shape(3, 3, 96, 96)
    half = between(whole, child, 0.5)
    assert half == shape(4, 6, 384, 96)
    assert between(whole, child, 1.0) == child
    shares = [share_kept(between(whole, child, n / 4), whole) for n in range(1, 5)]
    assert shares == sorted(shares, reverse=True)
    assert share_kept(whole, whole) == 1.0
    assert share_kept(shape(3, 12, 1536, 96), whole) == 0.5


def test_one_step_is_a_cut_at_once(taught, teacher):
    child = shape(2, 2, 24)
    at_once = Lessons(taught.teacher).cut(child, "stsb")
    found = cut(child, taught, teacher, steps=1)
    assert found.layers == at_once.layers
    for mine, its in ((found.encoder, at_once.encoder), (found.classifier, at_once.classifier)):
        assert mine.keys() == its.keys()
        assert all(torch.equal(mine[name], its[name]) for name in its)


@pytest.mark.parametrize("magnitude", [False, True])
def test_what_is_left_after_three_steps_is_the_teachers(magnitude, taught, teacher):
    seen, child = [], shape(1, 1, 8)
    found = cut(
        child, taught, teacher, steps=3, magnitude=magnitude,
        learn=lambda encoder, head, origin, step: seen.append((encoder.architecture, origin, step)),
    )  # fmt: skip
    whole = shape(3, 4, 64)
    assert [one[0] for one in seen] == [between(whole, child, n / 3) for n in (1, 2)]
    assert [one[2] for one in seen] == [1, 2]
    # nothing has learnt: queries, keys and values of what is left are the teacher's of its origin
    ((layer,), (heads,)) = found.origin.layers, found.origin.heads
    assert set(found.layers) < set(seen[0][1].layers)
    weights = Lessons(taught.teacher).weights("stsb")
    name = "mixers.sa_sdp.query_key_value.weight"
    old = weights[f"layers.{layer}.{name}"].unflatten(0, (3, 4, 8))[:, heads]
    assert_close(found.encoder[f"layers.0.{name}"].unflatten(0, (3, 1, 8)), old)
    columns = weights[f"layers.{layer}.mixed.weight"].unflatten(1, (4, 8))[:, heads].flatten(1)
    assert torch.equal(found.encoder["layers.0.mixed.weight"], columns) == magnitude


def test_whoever_has_the_least_weights_goes_first(teacher):
    encoder = teacher.build(max_length=32, pooling="mean")
    with torch.no_grad():
        layer = encoder.layers[1]
        layer.mixed.weight[:, 8:16] *= 1e-3  # what is read of head 1
        layer.mixers["sa_sdp"].query_key_value.weight[64 + 24 :] *= 1e-2  # values of head 3
        layer.feedforward.output.weight[:, 5] *= 1e-3
        layer.feedforward.stack[0].weight[9] *= 1e-2
    worth = by_magnitude(encoder)[1]
    assert worth.head_order.tolist()[-2:] == [3, 1]
    assert worth.feedforward_order.tolist()[-2:] == [9, 5]


def test_a_trial_in_steps_takes_as_many_steps_in_all(taught, recipe):
    thin = shape(2, 1, 8)
    found = [run_trial(thin, recipe, taught, seed=3) for _ in range(2)]
    at_once = run_trial(thin, replace(recipe, slots={"distillation": "hidden"}), taught, seed=3)
    assert found[0].scores == found[1].scores
    assert found[0].details["stsb_loss"] != at_once.details["stsb_loss"]
    wide = shape(3, 4, 48)  # keeps more than half, and so is cut at once
    both = [
        run_trial(wide, replace(recipe, slots={"distillation": how}), taught, seed=3)
        for how in ("hidden", "hidden(steps=2)")
    ]
    assert both[0].scores == both[1].scores


@pytest.fixture(scope="module")
def script():
    """The experiment that makes the baselines."""
    path = Path(__file__).parents[3] / "experiments" / "from_checkpoint.py"
    spec = importlib.util.spec_from_file_location("from_checkpoint", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_gradual_pruning_stands_beside_a_cut_with_as_many_passes(taught, recipe, script):
    how = script.in_steps(replace(recipe, slots={"distillation": "hidden(labels=0.5)"}), 3)
    assert how.slots["distillation"] == "hidden(labels=0.5,steps=3)"
    point = script.cut(2, 1, 16, width=32, head=8)
    rows = [
        script.student(point, own, taught, 0, magnitude=magnitude)
        for own, magnitude in ((how, True), (replace(how, slots={"distillation": "hidden"}), False))
    ]
    for row in rows:
        assert (row["layers"], row["heads"], row["feedforward"]) == (2, "1 1", "16 16")
    assert rows[0]["score"] != rows[1]["score"]
    assert script.POINTS["gradual"] == script.POINTS["cut"]
