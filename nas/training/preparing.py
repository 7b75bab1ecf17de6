"""What an experiment is trained with: its recipe, and its data read, tokenised and encoded."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from nas.config import Experiment
from nas.evaluation.suites.own import OWN_DATA
from nas.training.readable_lengths import within_positions
from nas.training.recipe import RECIPES, Recipe
from nas.training.taught import check_taught

if TYPE_CHECKING:
    from nas.data.minimal_pairs import Pairs
    from nas.data.own.reading import OwnTask
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
    return data if data in ("glue-mini", OWN_DATA) else "glue"


def experiment_recipe(experiment: Experiment) -> Recipe:
    """Return the training recipe: the experiment's, or the preset that suits its data.

    Raises:
        NasError: A key or value of the recipe is not allowed.
    """
    preset = default_preset(experiment.data, experiment.checkpoint)
    settings = {"preset": preset, **experiment.recipe}
    if experiment.tasks:
        settings["tasks"] = list(experiment.task_names)
    if experiment.own_tasks:
        settings["own_tasks"] = [task.name for task in experiment.own_tasks]
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
    check_taught(recipe, experiment)
    return recipe


def prepare_data(
    experiment: Experiment, recipe: Recipe, checkpoint: "Checkpoint | None" = None
) -> "PreparedData":
    """Return what `prepare_experiment` does, but for the recipe."""
    return prepare_experiment(experiment, recipe, checkpoint)[0]


def prepare_experiment(
    experiment: Experiment,
    recipe: Recipe,
    checkpoint: "Checkpoint | None" = None,
    say: Callable[[str], None] = lambda line: None,
) -> "tuple[PreparedData, Recipe]":
    """Read or make the tasks and the corpus, train the tokenizer, encode everything.

    Without `tasks` in the experiment, the recipe's tasks that the data has are taken. With a
    checkpoint, its tokenizer encodes the tasks, and there is no text to pre-train on. But for
    `glue-mini`, the longest sequence follows from the tasks' lengths unless the recipe says it.

    Args:
        experiment: Names data, corpus and tasks.
        recipe: How to prepare them.
        checkpoint: Whose tokenizer to take.
        say: Called with what was understood of the user's own tasks, line by line.

    Returns:
        The data, and the recipe with the tasks and the longest sequence that were found.

    Raises:
        InvalidData: The data is missing or malformed; the message names file and line.
    """
    from nas.data.corpora import read_corpus
    from nas.data.minimal_pairs import encode_pairs
    from nas.data.own.summary import FittingLength, summary
    from nas.data.preparation import prepare, prepare_tasks, sample
    from nas.data.source import load_source
    from nas.data.tokenizer import Tokenizer
    from nas.evaluation.tfidf import tfidf_floor

    most = None
    if checkpoint is not None and not recipe.teacher:
        recipe = within_positions(recipe, experiment.recipe, checkpoint, say)
        most = checkpoint.max_length
    own = _read_own(experiment)
    # the mini tasks' texts are as short as their recipe expects
    fits = "max_length" not in experiment.recipe
    fitted = fits and (bool(own) or experiment.data != "glue-mini")
    longest = FittingLength(recipe.max_length) if fitted else recipe.max_length
    pairs = _read_pairs(experiment)
    # A missing file is reported here, before the tasks are read.
    corpus = read_corpus(experiment.corpus) if experiment.corpus else None
    with tempfile.TemporaryDirectory(prefix="nas-data-") as cache:
        tasks, own_corpus = {}, None
        if experiment.data != OWN_DATA:
            tasks, own_corpus = load_source(
                experiment.data,
                tasks=[name for name in experiment.task_names if name not in own] or None,
                cache_directory=cache,
                seed=experiment.seed,
            )
        tasks |= {name: found.data for name, found in own.items()}
        named = experiment.task_names if own else tasks  # in the order given
        wanted = {name: tasks[name] for name in named if name in recipe.tasks}
        if checkpoint is not None:
            data = prepare_tasks(
                wanted,
                Tokenizer.from_json(checkpoint.tokenizer_json),
                max_length=longest,
                max_train_examples=recipe.max_train_examples,
                max_dev_examples=recipe.max_dev_examples,
                seed=experiment.seed,
            )
        else:
            if corpus is None and own_corpus:
                corpus = read_corpus(own_corpus)
            data = prepare(
                tasks=wanted,
                corpus=corpus,
                vocabulary_size=recipe.vocabulary_size,
                tokenizer_kind=recipe.tokenizer,
                marks=recipe.marks,
                max_length=longest,
                block_length=recipe.block_length,
                corpus_tokens=recipe.corpus_tokens,
                max_train_examples=recipe.max_train_examples,
                max_dev_examples=recipe.max_dev_examples,
                seed=experiment.seed,
            )
    if pairs:
        most = max(recipe.max_length, recipe.block_length)
        encoded = {name: encode_pairs(f, data.tokenizer, most) for name, f in pairs.items()}
        data = replace(data, pairs=encoded)
    recipe = replace(recipe, tasks=tuple(data.tasks))
    if fitted:
        recipe = replace(recipe, max_length=longest.found)
    floors = {}
    for name, found in own.items():
        if name in data.tasks:
            dev = {
                split: sample(part, recipe.max_dev_examples, experiment.seed)
                for split, part in found.data.dev.items()
            }
            floor = tfidf_floor(found.data.row, found.data.train, dev, seed=experiment.seed)
            floors |= {} if floor is None else {name: floor}
            data = replace(data, floors=floors)
            kept = sample(found.data.train, recipe.max_train_examples, experiment.seed)
            for line in summary(found, data, recipe.max_length, kept, most):
                say(line)
    return data, recipe


def for_teacher(
    experiment: Experiment, recipe: Recipe, checkpoint: "Checkpoint"
) -> "tuple[PreparedData, Recipe]":
    """Return the same examples in the teacher's tokens, and the recipe by which it learns them."""
    own = replace(recipe, pooling=RECIPES["checkpoint"].pooling, positions="absolute")
    data, own = prepare_experiment(experiment, own, checkpoint)
    # longer texts than it has positions for are cut
    longest = min(max(own.max_length, own.block_length), checkpoint.max_length)
    if longest < max(own.max_length, own.block_length):
        own = replace(own, max_length=longest, block_length=longest)
        data, own = prepare_experiment(experiment, own, checkpoint)
    return data, own


def _read_pairs(experiment: Experiment) -> "dict[str, Pairs]":
    """Return the minimal pairs of the suites that trials are scored on, by name."""
    from nas.data.minimal_pairs import read_pairs
    from nas.evaluation.suites.measured import PAIR_SUITES

    return {
        name: read_pairs(PAIR_SUITES[name], said.data, limit=said.limit, seed=experiment.seed)
        for name, said in experiment.suites.items()
    }


def _read_own(experiment: Experiment) -> "dict[str, OwnTask]":
    """Return the user's own tasks by name; with none, nothing is imported."""
    if not experiment.own_tasks:
        return {}
    from nas.data.own.reading import read_own_task

    return {task.name: read_own_task(task, experiment.seed) for task in experiment.own_tasks}
