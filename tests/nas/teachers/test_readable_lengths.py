"""Texts longer than a checkpoint reads: defaults are lowered and said, what is asked is refused."""

import numpy as np
import pytest

from nas.config import make_experiment
from nas.data.own.summary import _longer
from nas.training.preparing import experiment_recipe, prepare_experiment
from nas.training.readable_lengths import within_positions
from search_spaces.errors import InvalidExperiment

TEXTS = "the cat sat on a dog "


def recipe_of(checkpoint, **recipe):
    experiment = make_experiment({"checkpoint": str(checkpoint), "recipe": recipe})
    return experiment_recipe(experiment), experiment.recipe


def test_defaults_above_are_lowered_and_said(teacher, checkpoint):
    recipe, asked = recipe_of(checkpoint)
    assert recipe.max_length == recipe.block_length == 128
    said = []
    found = within_positions(recipe, asked, teacher, said.append)
    assert (found.max_length, found.block_length) == (64, 64)
    (line,) = said
    assert "positions for 64 tokens: max_length 128 and block_length 128 became 64" in line


@pytest.mark.parametrize("name", ["max_length", "block_length"])
def test_what_is_asked_for_is_refused_with_what_can_be(name, teacher, checkpoint):
    recipe, asked = recipe_of(checkpoint, **{name: 65})
    with pytest.raises(
        InvalidExperiment, match=rf"recipe.{name} is 65.*for 64 tokens. Set it to 64"
    ):
        within_positions(recipe, asked, teacher)


def test_what_it_can_read_is_left_alone(teacher, checkpoint):
    recipe, asked = recipe_of(checkpoint, max_length=64, block_length=16)
    said = []
    assert within_positions(recipe, asked, teacher, said.append) == recipe
    assert said == []


def test_how_many_texts_are_cut_is_said_with_what_can_be_done(teacher, checkpoint, tmp_path):
    """Texts of 12 to 66 words, and a checkpoint with positions for 64 tokens."""
    rows = [f"{TEXTS * (2 + i % 10)},{'good' if i % 2 else 'bad'}" for i in range(40)]
    (tmp_path / "t.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    said = {}
    for length in (16, 64, None):
        experiment = make_experiment(
            {
                "checkpoint": str(checkpoint),
                "tasks": [{"name": "t", "train": str(tmp_path / "t.csv")}],
                "recipe": {"block_length": 16} | ({} if length is None else {"max_length": length}),
            }
        )
        lines = []
        recipe = experiment_recipe(experiment)
        data, found = prepare_experiment(experiment, recipe, teacher, lines.append)
        said[length] = next(line for line in lines if "lengths:" in line)
        longest = data.tasks["t"]["train"].offsets
        assert np.diff(longest).max() <= found.max_length <= 64
    assert "fewer with --set recipe.max_length=64" in said[16]
    assert "cut after 64" in said[64]
    assert "cut after 64" in said[None]
    assert "the checkpoint has no positions for more" in said[64]


def test_the_remedy_keeps_to_what_can_be_read():
    lengths = np.array([300] * 10)
    assert "max_length=304" in _longer(lengths, 128, None)
    assert "max_length=200" in _longer(lengths, 128, 200)
    assert "max_length=304" in _longer(lengths, 128, 512)
    assert _longer(lengths, 128, 128) == " (the checkpoint has no positions for more)"
