"""Recipes: presets, round trips, and every message a wrong value gets."""

import pytest

from nas.training.recipe import RECIPES, Recipe
from search_spaces.errors import InvalidExperiment, UnknownName


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_presets_survive_a_dictionary(name):
    recipe = Recipe.from_dict({"preset": name})
    assert recipe == RECIPES[name]
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_a_preset_can_be_changed_and_tasks_are_named_as_usual():
    recipe = Recipe.from_dict({"preset": "glue", "mask_rate": 0.4, "tasks": ["SST-2", "CoLA"]})
    assert recipe.mask_rate == 0.4
    assert recipe.tasks == ("sst2", "cola")
    assert recipe.vocabulary_size == RECIPES["glue"].vocabulary_size


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pretrain_token": 5}, r"no key 'pretrain_token'\. Did you mean 'pretrain_tokens'\?"),
        ({"pretrain_tokens": 0}, "pretrain_tokens is 0, but must be a whole number of at least 1"),
        ({"pretrain_tokens": 1.5}, "pretrain_tokens is 1.5"),
        ({"threads": True}, "threads is True"),
        ({"vocabulary_size": 5}, "must be a whole number of at least 32"),
        ({"corpus_tokens": 0}, r"at least 1 \(or null for no limit\)"),
        ({"finetune_learning_rate": 0}, "must be a number above 0 and at most 1"),
        ({"mask_rate": 1.0}, "mask_rate is 1.0, but must be a number above 0 and below 1"),
        ({"dropout": float("nan")}, "dropout is nan"),
        ({"clip": "much"}, "clip is 'much'"),
        ({"precision": "fp16"}, "precision is 'fp16'.*Allowed: fp32, bf16, auto"),
        ({"positions": "relativ"}, "Did you mean 'relative'"),
        ({"device": "gpu"}, "Allowed: auto, cpu, cuda"),
        ({"tasks": []}, "The list of tasks is empty. Name at least one of cola"),
        ({"tasks": "cola"}, "tasks is 'cola', but must be a list of task names"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(values, message):
    with pytest.raises(InvalidExperiment, match=message):
        Recipe.from_dict(values)


def test_unknown_names_suggest():
    with pytest.raises(UnknownName, match="No recipe is called 'glu'. Did you mean 'glue'"):
        Recipe.from_dict({"preset": "glu"})
    with pytest.raises(UnknownName, match="'rta'. Did you mean 'rte'"):
        Recipe.from_dict({"tasks": ["rta"]})
