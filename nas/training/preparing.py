"""What an experiment is trained with: its recipe, and its data read, tokenised and encoded."""

import tempfile
from typing import TYPE_CHECKING

from nas.config import Experiment
from nas.training.recipe import Recipe

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData

# Of the schedules tried in `experiments/pretrain_decay.py`, the one of good scores at either end.
_RUNG_DECAY = 0.3


def default_preset(data: str) -> str:
    """Return the name of the recipe that suits a data source."""
    return "glue-mini" if data == "glue-mini" else "glue"


def experiment_recipe(experiment: Experiment) -> Recipe:
    """Return the training recipe: the experiment's, or the preset that suits its data.

    Raises:
        NasError: A key or value of the recipe is not allowed.
    """
    settings = {"preset": default_preset(experiment.data), **experiment.recipe}
    if experiment.tasks:
        settings["tasks"] = list(experiment.tasks)
    settings.setdefault("threads", max(1, int(experiment.execution.cpus_per_trial)))
    if experiment.fidelity != "full" and "schedule" not in settings:
        # a promoted trial continues from where the decay began; without a level part it would
        # have nothing to continue
        settings.setdefault("pretrain_decay", _RUNG_DECAY)
    return Recipe.from_dict(settings)


def prepare_data(experiment: Experiment, recipe: Recipe) -> "PreparedData":
    """Read or make the tasks and the corpus, train the tokenizer, encode everything.

    Without `tasks` in the experiment, the recipe's tasks that the data has are taken.

    Raises:
        InvalidData: The data is missing or malformed; the message names file and line.
    """
    from nas.data.corpora import read_corpus
    from nas.data.prepared import prepare
    from nas.data.source import load_source

    # A missing file is reported here, before the tasks are read.
    corpus = read_corpus(experiment.corpus) if experiment.corpus else None
    with tempfile.TemporaryDirectory(prefix="nas-data-") as cache:
        tasks, own_corpus = load_source(
            experiment.data,
            tasks=list(experiment.tasks) or None,
            cache_directory=cache,
            seed=experiment.seed,
        )
        if corpus is None and own_corpus:
            corpus = read_corpus(own_corpus)
        return prepare(
            tasks={name: tasks[name] for name in tasks if name in recipe.tasks},
            corpus=corpus,
            vocabulary_size=recipe.vocabulary_size,
            tokenizer_kind=recipe.tokenizer,
            max_length=recipe.max_length,
            block_length=recipe.block_length,
            corpus_tokens=recipe.corpus_tokens,
            max_train_examples=recipe.max_train_examples,
            max_dev_examples=recipe.max_dev_examples,
            seed=experiment.seed,
        )
