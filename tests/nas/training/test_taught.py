"""Students that are no cuts learn what can be compared, and what cannot is refused beforehand."""

import pytest

from nas.config import make_experiment
from nas.teachers.lessons import Lessons
from nas.training.distillation.base import read_by
from nas.training.preparing import experiment_recipe
from nas.training.recipe import Recipe
from nas.training.taught import outside_teacher
from search_spaces.errors import InvalidExperiment

ATTENTION = {
    "layers": [1, 2], "widths": [16, 32], "heads": [2], "operations": {"sa": ["sdp"]},
    "feedforward_widths": [24], "feedforward_depths": [1],
}  # fmt: skip


def recipe_of(recipe, **more):
    return experiment_recipe(make_experiment({"recipe": recipe, "tasks": ["sst2"], **more}))


@pytest.mark.parametrize(
    ("recipe", "more", "message"),
    [
        ({"distillation": "logits"}, {}, "there is no teacher.*with teacher: FOLDER"),
        ({"teacher": "t"}, {}, "nothing says what students learn"),
        ({"teacher": 3, "distillation": "logits"}, {}, "teacher is 3"),
        ({"teacher": "t", "distillation": "logits"}, {"checkpoint": "c"}, "one of the two out"),
        ({"teacher": "t", "distillation": "transfer"}, {}, "no cuts.*logits, hidden, relations"),
        ({"teacher": "t", "distillation": "stages"}, {}, "no cuts"),
        ({"teacher": "t", "distillation": {"logits": {}, "stages": {}}}, {}, "no cuts"),
        ({"teacher": "t", "distillation": "logits(steps=2)"}, {}, "steps are those of cutting"),
        ({"teacher": "t", "distillation": "relations"}, {}, "which has no such map"),
        ({"teacher": "t", "distillation": "logits", "tune_trials": 2}, {}, "tune_trials is 2"),
        ({"teacher": "t", "distillation": "logits", "selection": "train-part"}, {}, "selection"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(recipe, more, message):
    with pytest.raises(InvalidExperiment, match=message):
        recipe_of(recipe, **more)


def test_what_is_read_is_that_of_all_that_may_be_chosen():
    taught = {"teacher": "t", "distillation": {"logits": {}, "relations": {}}}
    assert read_by(recipe_of(taught, space=ATTENTION)) == {"last"}
    assert read_by(recipe_of({"teacher": "t", "distillation": "logits"})) == frozenset()
    assert read_by(recipe_of({})) == frozenset()


def test_records_without_a_teacher_say_nothing_of_one():
    assert "teacher" not in Recipe().to_dict()
    given = recipe_of({"teacher": "t", "distillation": "logits"}).to_dict()
    assert Recipe.from_dict(given).teacher == "t"


def test_states_need_the_width_of_the_teacher(tmp_path, make_checkpoint):
    make_checkpoint(tmp_path)
    plan = {"recipe": {"teacher": str(tmp_path), "distillation": "hidden"}, "tasks": ["sst2"]}
    experiment = make_experiment({**plan, "space": ATTENTION})
    with pytest.raises(InvalidExperiment, match=r"widths 16, 32 where the teacher is 32 wide"):
        outside_teacher(experiment, experiment_recipe(experiment))
    experiment = make_experiment({**plan, "space": {**ATTENTION, "widths": [32]}})
    assert outside_teacher(experiment, experiment_recipe(experiment)).architecture.layers


@pytest.mark.parametrize(
    ("depth", "states"), [(1, (0,)), (2, (0, 3)), (3, (0, 2, 4)), (6, (0, 1, 2, 3, 4, 5))]
)
def test_states_are_aimed_at_evenly(depth, states, monkeypatch):
    class Six(Lessons):
        def __init__(self):
            pass

        architecture = type("A", (), {"layers": [None] * 6})

    assert Six().aims(depth).layers == states
