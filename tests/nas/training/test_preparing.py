"""The longest sequence follows from the texts, unless it is said or the texts are the mini ones."""

import pytest

from nas.config import make_experiment
from nas.data.glue_mini import write_glue_mini
from nas.training.preparing import experiment_recipe, prepare_experiment

SMALL = {"vocabulary_size": 90, "corpus_tokens": 2_000, "block_length": 16}


def found_length(**settings) -> tuple[int, int]:
    experiment = make_experiment(settings)
    recipe = experiment_recipe(experiment)
    return recipe.max_length, prepare_experiment(experiment, recipe)[1].max_length


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a directory of GLUE whose texts are short."""
    return write_glue_mini(tmp_path_factory.mktemp("glue") / "mini", size=0.02)


def test_of_glue_as_of_tasks_of_ones_own(folder, tmp_path):
    (tmp_path / "corpus.txt").write_text("the cat sat on a mat. a dog ran to the cat.\n" * 300)
    given = {"data": str(folder), "corpus": [str(tmp_path / "corpus.txt")], "tasks": ["sst2"]}
    most, found = found_length(**given, recipe=SMALL)
    assert found < most == 128
    assert found_length(**given, recipe={**SMALL, "max_length": 40}) == (40, 40)
    # pairs of texts are longer, and one length is for all tasks
    assert found_length(**{**given, "tasks": ["sst2", "mrpc"]}, recipe=SMALL)[1] > found


def test_not_of_the_mini_tasks():
    assert found_length(tasks=["sst2"], recipe=SMALL) == (48, 48)
