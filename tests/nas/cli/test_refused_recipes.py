"""What is said of recipes and spaces that cannot be: what is wrong, what is allowed, the way on."""

import json
import sqlite3

import pytest

from nas.config import make_experiment
from nas.proposals.building import refuse_given_twice, without_offered
from nas.training.recipe import Recipe
from nas.zoo.loading import read_config
from search_spaces.errors import InvalidExperiment, NotAModel

SPACE = """layers: [2]
widths: [64]
heads: [2]
operations: {sa: [sdp]}
feedforward_widths: [96]
feedforward_depths: [1]
model: {positions: {absolute: {}, relative: {}}}
recipe: {mask_rate: [0.2, 0.4], schedule: {linear: {warmup: [0.1, 0.2]}}}
"""


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "open.yaml"
    path.write_text(SPACE)
    return str(path)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            {"mask_rate": 0.3},
            "mask_rate is 0.3 in the exp.*offers mask_rate: 0.2, 0.4.*Leave",
        ),
        ({"warmup": 0.3}, "warmup is 0.3.*offers schedule, of which warmup is an alias: linear"),
        (
            {"objective": "mlm"},
            "objective is 'mlm'.*offers mask_rate, an alias of a setting",
        ),
        (
            {"positions": "absolute"},
            "'absolute'.*offers positions: absolute, relative",
        ),
    ],
)
def test_what_experiment_and_space_both_say_is_refused(space, recipe, words):
    with pytest.raises(InvalidExperiment, match=words):
        refuse_given_twice(make_experiment({"space": space, "recipe": recipe}))


def test_the_experiment_in_a_run_does_not_say_what_its_space_leaves_open(space):
    written = without_offered(space, Recipe(pretrain_decay=0.3).to_dict(), Recipe())
    assert {"mask_rate", "warmup", "positions"}.isdisjoint(written)
    assert written["pretrain_decay"] == 0.3
    assert "mask_rate" in without_offered("flexibert-micro", Recipe().to_dict(), Recipe())


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("{mask_rate: 0.2, objective: mlm}", ["mask_rate and objective are both given", "Leave"]),
        (
            "{objective: {mln: {}}}",
            ["no objective is called 'mln'", "Available: clm, contrastive, e2s2"],
        ),
        ("{objective: {mlm: {rate: 0.1}}}", ["'rate'", "Its settings: mask_rate"]),
        ("{objective: {mlm: {mask_rate: [2]}}}", ["mask_rate is 2", "Allowed: a number from 0"]),
        (
            "{vocabulary_size: [500, 600]}",
            ["it changes the data", "Open may be"],
        ),
        ("{inherit_tokens: [0.1, 0.2]}", ["inherit_tokens", "it is the budget"]),
        ("{optimisers: {adamw: {}}}", ["no key 'optimisers'", "Did you mean 'optimizer'"]),
    ],
)
def test_a_wrong_recipe_is_explained(nas, tmp_path, recipe, words):
    (tmp_path / "e.yaml").write_text(f"recipe: {recipe}\n")
    code, _, err = nas("search", "e.yaml")
    assert code == 2
    for word in words:
        assert word in err
    assert not list(tmp_path.glob("runs/*"))


def test_a_folder_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "flexibert", "nas_format": 9}))
    with pytest.raises(NotAModel, match="written in format 9; this version reads 1. Update"):
        read_config(tmp_path)


def test_a_run_of_a_newer_version_is_refused(nas, begin):
    run = begin(name="newer").run
    run.close()
    with sqlite3.connect(run.directory / "run.db") as db:
        db.execute("UPDATE meta SET value = '9' WHERE key = 'format'")
    for command in ("trials", "report", "replay", "resume"):
        code, _, err = nas(command, run.directory)
        assert code == 2, command
        assert "was written in format 9" in err
