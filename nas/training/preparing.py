"""What an experiment is trained with: its recipe, and its data read, tokenised and encoded."""

import tempfile
from typing import TYPE_CHECKING

from nas.config import Experiment
from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData
    from nas.teachers.checkpoint import Checkpoint

# Of the schedules tried in `experiments/pretrain_decay.py`, the one of good scores at either end.
_RUNG_DECAY = 0.3
# How a cut of a checkpoint learns from it, unless the recipe says otherwise.
_DISTILLATION = "hidden"


def default_preset(data: str, checkpoint: str | None = None) -> str:
    """Return the name of the recipe that suits a data source, or a start from a checkpoint."""
    if checkpoint is not None:
        return "checkpoint"
    return "glue-mini" if data == "glue-mini" else "glue"


def experiment_recipe(experiment: Experiment) -> Recipe:
    """Return the training recipe: the experiment's, or the preset that suits its data.

    Raises:
        NasError: A key or value of the recipe is not allowed.
    """
    preset = default_preset(experiment.data, experiment.checkpoint)
    settings = {"preset": preset, **experiment.recipe}
    if experiment.tasks:
        settings["tasks"] = list(experiment.tasks)
    execution = experiment.execution
    settings.setdefault("threads", max(1, int(execution.cpus_per_trial)))
    if execution.engine == "inline" and execution.gpus_per_trial == 0:
        settings.setdefault("device", "cpu")  # where Ray would hide the GPUs of the machine
    if experiment.checkpoint is not None:
        settings.setdefault("distillation", _DISTILLATION)
    if experiment.fidelity != "full" and "schedule" not in settings:
        # a promoted trial continues from where the decay began; without a level part it would
        # have nothing to continue
        settings.setdefault("pretrain_decay", _RUNG_DECAY)
    recipe = Recipe.from_dict(settings)
    _check_taught(recipe, experiment.checkpoint)
    return recipe


def _check_taught(recipe: Recipe, checkpoint: str | None) -> None:
    """Refuse what a recipe says of a teacher that is not there, and what no teacher goes with."""
    how = recipe.open.get("distillation", recipe.slots.get("distillation", "none"))
    if how != "none" and checkpoint is None:
        raise InvalidExperiment(
            f"distillation is {how!r}, and there is no teacher. Give one with --from FOLDER, or "
            "leave distillation out."
        )
    if checkpoint is None:
        return
    # a teacher's answers are stored for the training examples as they are, row by row
    for name, given, instead in (
        ("selection", recipe.selection == "train-part", "none or dev"),
        ("tune_trials", recipe.tune_trials > 0, "0"),
        ("from_mnli", recipe.from_mnli, "false"),
    ):
        if given:
            raise InvalidExperiment(
                f"{name} is {getattr(recipe, name)!r}, which does not go with a checkpoint's "
                f"teacher. Give {instead}, or leave the checkpoint out."
            )


def prepare_data(
    experiment: Experiment, recipe: Recipe, checkpoint: "Checkpoint | None" = None
) -> "PreparedData":
    """Read or make the tasks and the corpus, train the tokenizer, encode everything.

    Without `tasks` in the experiment, the recipe's tasks that the data has are taken. With a
    checkpoint, its tokenizer encodes the tasks, and there is no text to pre-train on.

    Raises:
        InvalidData: The data is missing or malformed; the message names file and line.
    """
    from nas.data.corpora import read_corpus
    from nas.data.prepared import prepare, prepare_tasks
    from nas.data.source import load_source
    from nas.data.tokenizer import Tokenizer

    # A missing file is reported here, before the tasks are read.
    corpus = read_corpus(experiment.corpus) if experiment.corpus else None
    with tempfile.TemporaryDirectory(prefix="nas-data-") as cache:
        tasks, own_corpus = load_source(
            experiment.data,
            tasks=list(experiment.tasks) or None,
            cache_directory=cache,
            seed=experiment.seed,
        )
        wanted = {name: tasks[name] for name in tasks if name in recipe.tasks}
        if checkpoint is not None:
            return prepare_tasks(
                wanted,
                Tokenizer.from_json(checkpoint.tokenizer_json),
                max_length=recipe.max_length,
                max_train_examples=recipe.max_train_examples,
                max_dev_examples=recipe.max_dev_examples,
                seed=experiment.seed,
            )
        if corpus is None and own_corpus:
            corpus = read_corpus(own_corpus)
        return prepare(
            tasks=wanted,
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
