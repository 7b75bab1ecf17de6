"""Start a run or continue one: set everything up, search, close.

Everything that can be wrong with the input is checked, and the workers are started, before the run
directory is made, so that a mistake leaves nothing behind.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.config import COSTS, Experiment, parse_constraint, write_experiment
from nas.evaluation.derived import OBJECTIVES
from nas.execution import Executor, make_executor
from nas.execution.storage import open_storage
from nas.runs import Run, create_run, next_directory, open_run, require_free
from nas.search import Progress, Search, replay
from nas.trackers import require_trackers, tracked
from search_spaces import load_space
from search_spaces.errors import InvalidExperiment, UnknownName
from surrogates import make_policy

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe
    from surrogates.policy import Policy

Watch = Callable[[Progress], None]
Say = Callable[[str], None]


def default_preset(data: str) -> str:
    """Return the name of the recipe that suits a data source."""
    return "glue-mini" if data == "glue-mini" else "glue"


def experiment_recipe(experiment: Experiment) -> "Recipe":
    """Return the training recipe: the experiment's, or the preset that suits its data.

    Raises:
        NasError: A key or value of the recipe is not allowed.
    """
    from nas.training.recipe import Recipe

    settings = {"preset": default_preset(experiment.data), **experiment.recipe}
    if experiment.tasks:
        settings["tasks"] = list(experiment.tasks)
    settings.setdefault("threads", max(1, int(experiment.execution.cpus_per_trial)))
    return Recipe.from_dict(settings)


def prepare_data(experiment: Experiment, recipe: "Recipe") -> "PreparedData":
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


def build_policy(experiment: Experiment, recipe: "Recipe", vocabulary_size: int) -> "Policy":
    """Return the experiment's policy, fresh.

    Args:
        experiment: Names the policy, the space and the objectives.
        recipe: Says which tasks are trained and how large the models' tables are.
        vocabulary_size: Entries of the run's tokenizer, for exact parameter counts.

    Raises:
        NasError: An unknown policy, space, option or objective.
    """
    trained = ("glue", *recipe.tasks, *COSTS, *OBJECTIVES)
    for name in (*experiment.objectives, *(parse_constraint(c)[0] for c in experiment.constraints)):
        if name not in trained:
            raise UnknownName("objective of this experiment", name, trained)
    options = {
        "vocabulary_size": vocabulary_size,
        "max_length": max(recipe.max_length, recipe.block_length),
        "length": recipe.max_length,
        "positions": recipe.positions,
        **experiment.policy_options,
    }
    return make_policy(
        experiment.policy,
        load_space(experiment.space),
        dict(experiment.objectives),
        seed=experiment.seed,
        constraints=experiment.constraints,
        options=options,
    )


def start(
    experiment: Experiment,
    directory: Path | None = None,
    *,
    watch: Watch | None = None,
    say: Say = lambda line: None,
) -> tuple[Run, str]:
    """Run `experiment` in a new directory; return the run and why it ended.

    Args:
        experiment: What to do.
        directory: Where; None takes the next free `runs/<name>-<number>`.
        watch: Called with the progress.
        say: Called with one line for each stage of the set-up.

    Raises:
        NasError: Anything wrong with the experiment, the data or the directory.
    """
    directory = next_directory(experiment.name) if directory is None else Path(directory)
    require_free(directory, experiment)
    require_trackers(experiment.trackers)
    from nas.training.trial import model_options

    say("Reading the data and training the tokenizer")
    recipe = experiment_recipe(experiment)
    # Built twice: now to find mistakes before the data is read, then with the true vocabulary.
    build_policy(experiment, recipe, recipe.vocabulary_size)
    data = prepare_data(experiment, recipe)
    recipe = replace(recipe, tasks=tuple(data.tasks))
    policy = build_policy(experiment, recipe, data.vocabulary_size)
    preset = experiment.recipe.get("preset", default_preset(experiment.data))
    resolved = experiment.model_copy(update={"recipe": {"preset": preset, **recipe.to_dict()}})
    with _workers(resolved, recipe, data, directory, say) as executor:
        run = create_run(directory, resolved, experiment.objectives)
        options = {"vocabulary_size": data.vocabulary_size, **model_options(recipe)}
        run.journal.set_meta("model_options", json.dumps(options))
        data.save(run.directory / "data")
        with tracked(run, resolved.trackers, watch) as told:
            return run, Search(run, resolved, policy, executor, told).run_until_done()


def resume(
    directory: Path | str,
    *,
    trials: str | None = None,
    seconds: float | None = None,
    watch: Watch | None = None,
    say: Say = lambda line: None,
) -> tuple[Run, str]:
    """Continue the run in `directory`: finished trials stay, interrupted ones start again.

    Args:
        directory: The run.
        trials: A new number of trials, or "+50" for so many more.
        seconds: A time budget from now on; None keeps the experiment's own.
        watch: Called with the progress.
        say: Called with one line for each stage of the set-up.

    Raises:
        NasError: No run there, another driver at work, or a number of trials that is none.
    """
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe

    run = open_run(directory, readonly=False)
    run.lock()
    experiment = run.experiment
    require_trackers(experiment.trackers)
    if trials is not None:
        total = more_trials(trials, experiment.trials)
        experiment = experiment.model_copy(update={"trials": total})
    if seconds is not None:
        budget = run.journal.elapsed() + seconds
        experiment = experiment.model_copy(update={"time": budget})
    if experiment is not run.experiment:
        write_experiment(experiment, run.directory / "experiment.yaml")
    say("Reading the record and the tokenised data")
    recipe = Recipe.from_dict(experiment.recipe)
    data = PreparedData.load(run.directory / "data", mmap=False)
    policy = build_policy(experiment, recipe, data.vocabulary_size)
    replay(run, policy)
    with (
        _workers(experiment, recipe, data, run.directory, say) as executor,
        tracked(run, experiment.trackers, watch) as told,
    ):
        return run, Search(run, experiment, policy, executor, told).run_until_done()


def more_trials(text: str, planned: int) -> int:
    """Return the number of trials that `text`, "80" or "+50", asks for.

    Raises:
        InvalidExperiment: The text is no such number.
    """
    number = text.removeprefix("+")
    if not number.isdecimal() or int(number) < 1:
        raise InvalidExperiment(
            f"{text!r} is no number of trials. Write 80 for 80 in all, or +50 for 50 more "
            f"than the {planned} planned."
        )
    return int(number) + (planned if text.startswith("+") else 0)


@contextmanager
def _workers(
    experiment: Experiment, recipe: "Recipe", data: "PreparedData", directory: Path, say: Say
) -> Iterator[Executor]:
    """Start what trains, and stop it in the end."""
    say("Starting the workers")
    storage = open_storage(experiment.execution.storage, directory)
    executor = make_executor(experiment.execution, recipe, data, storage)
    try:
        say(f"Training {experiment.trials} architectures: {executor.where}")
        yield executor
    finally:
        executor.close()
