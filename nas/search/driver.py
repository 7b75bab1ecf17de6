"""Start a run or continue one: set everything up, search, close.

Everything that can be wrong with the input is checked, and the workers are started, before the run
directory is made, so that a mistake leaves nothing behind.
"""

import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.config import Experiment
from nas.data.prepared import TEACHER
from nas.execution import Executor, make_executor
from nas.execution.dashboard import dashboard_words
from nas.execution.interrupts import told_how_to_go_on
from nas.execution.record_copy import copied_record
from nas.limits import available_cpus
from nas.proposals.building import (
    build_policy,
    refuse_given_twice,
    run_policy,
    without_offered,
)
from nas.proposals.process import ProposerProcess
from nas.proposals.proposer import InlineProposer, Proposer
from nas.runs.claims import claimed_directory
from nas.runs.directory import Run, create_run, open_run, require_free
from nas.runs.rows import unreadable
from nas.runs.storage import Storage, open_storage
from nas.search.deadlines import largest_memory_mb
from nas.search.finalists import with_finalists
from nas.search.loop import Search
from nas.search.preconditions import require_candidates, require_possible
from nas.search.progress import Progress
from nas.search.reaiming import reaim
from nas.search.trackers import require_trackers, tracked
from nas.training.fitting import require_fitting_space
from nas.training.preparing import (
    default_preset,
    experiment_recipe,
    for_teacher,
    prepare_experiment,
)
from nas.training.recipe import RECIPES
from nas.training.taught import outside_teacher, require_same_tokens
from search_spaces.errors import InvalidExperiment

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData
    from nas.teachers.checkpoint import Checkpoint
    from nas.training.recipe import Recipe
    from surrogates.policy import Policy

ProgressCallback = Callable[[Progress], None]
Say = Callable[[str], None]


def start(
    experiment: Experiment,
    directory: Path | None = None,
    *,
    watch: ProgressCallback | None = None,
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
        EngineGone: Ray has ended before the search began.
        StopNow: Interrupted before the search began, or after it had ended.
    """
    with claimed_directory(experiment.name, directory) as place, told_how_to_go_on(place):
        return _start(experiment, place, watch, say)


def _start(
    experiment: Experiment, directory: Path, watch: ProgressCallback | None, say: Say
) -> tuple[Run, str]:
    require_free(directory, experiment)
    require_trackers(experiment.trackers)
    checkpoint = None
    if experiment.checkpoint is not None:
        checkpoint, experiment = inside_checkpoint(experiment)
    cut_from = checkpoint
    refuse_given_twice(experiment)
    require_possible(experiment)
    recipe = experiment_recipe(experiment)
    require_fitting_space(recipe, experiment)
    # Built twice: now to find mistakes before the data is read, then with the true vocabulary.
    policy = build_policy(experiment, recipe, recipe.vocabulary_size)
    data, options = None, {"vocabulary_size": recipe.vocabulary_size}
    if experiment.execution.trial_function is None:
        say("Reading the data and training the tokenizer")
        if recipe.teacher:
            checkpoint = outside_teacher(experiment, recipe)
            # so that a resume finds it from anywhere
            recipe = replace(recipe, teacher=str(checkpoint.folder))
        data, recipe = _prepare_beside_ray(experiment, recipe, cut_from, say)
        from nas.training.trial import model_options

        if checkpoint is not None:
            if recipe.teacher:
                require_same_tokens(recipe, data, checkpoint)
            data = replace(data, teacher=directory.resolve() / TEACHER)
        if experiment.prior:
            say("Measuring what the parts of the checkpoint are worth and take")
            from nas.search.measured_prior import with_prior

            experiment = with_prior(experiment, cut_from, data, recipe, policy)
        policy = build_policy(experiment, recipe, data.vocabulary_size)
        options = {"vocabulary_size": data.vocabulary_size, **model_options(recipe)}
    require_candidates(experiment, recipe, options["vocabulary_size"])
    run_id = uuid.uuid4().hex[:8]
    storage = open_storage(experiment.execution.storage, directory, run_id)
    usual = default_preset(experiment.data, experiment.checkpoint)
    preset = experiment.recipe.get("preset", usual)
    settings = without_offered(experiment.space, recipe.to_dict(), RECIPES[preset])
    resolved = experiment.model_copy(update={"recipe": {"preset": preset, **settings}})
    with (
        _proposer(resolved, policy, options["vocabulary_size"]) as proposer,
        _workers(resolved, recipe, data, storage, directory, say) as executor,
    ):
        run = create_run(
            directory, resolved, experiment.objectives, data=data, model_options=options,
            run_id=run_id,
        )  # fmt: skip
        if checkpoint is not None:
            _teach(run, checkpoint, data, recipe, say)
        with tracked(run, resolved.trackers, watch) as told:
            reason = Search(run, resolved, proposer, executor, told, storage).run_until_done()
    return run, with_finalists(run, reason, say)


def resume(
    directory: Path | str,
    *,
    changes: Mapping[str, Any] | None = None,
    watch: ProgressCallback | None = None,
    say: Say = lambda line: None,
    trust: bool = False,
) -> tuple[Run, str]:
    """Continue the run in `directory`: finished trials stay, interrupted ones go on.

    Args:
        directory: The run.
        changes: What to extend or re-aim; see `nas.search.reaiming.changed`.
        watch: Called with the progress.
        say: Called with one line for each stage of the set-up.
        trust: Let the run use the modules, the cluster and the storage that it names; need not be
            said of a run that this user started here (`nas.runs.trust`).

    Raises:
        NasError: No run there, another driver at work, or a change that cannot be.
        EngineGone: Ray has ended before the search began.
        StopNow: Interrupted before the search began, or after it had ended.
    """
    with told_how_to_go_on(Path(directory)):
        return _resume(directory, changes or {}, watch, say, trust=trust)


def _resume(
    directory: Path | str,
    changes: Mapping[str, Any],
    watch: ProgressCallback | None,
    say: Say,
    *,
    trust: bool,
) -> tuple[Run, str]:
    from nas.training.recipe import Recipe

    run = open_run(directory, readonly=False)
    taken_over = run.lock()
    if taken_over:
        say(taken_over)
    try:
        if trust:
            run.trust()
        run.require_trusted("nas resume")
        require_trackers(run.experiment.trackers)
        experiment = reaim(run, changes)
        run.trust()  # a cluster or storage given now is named by whoever gave it
        recipe = Recipe.from_dict(experiment.recipe)
        data = None
        if experiment.execution.trial_function is None:
            from nas.data.prepared import PreparedData

            say("Reading the record and the tokenised data")
            data = PreparedData.load(run.directory / "data", mmap=False, needed=recipe.tasks)
            taught = experiment.checkpoint is not None or bool(recipe.teacher)
            if taught:
                data = replace(data, teacher=run.directory.resolve() / TEACHER)
        vocabulary_size = run.model_options.get("vocabulary_size")
        policy = run_policy(experiment, vocabulary_size)
        storage = open_storage(experiment.execution.storage, run.directory, run.id)
        with (
            _proposer(experiment, policy, vocabulary_size) as proposer,
            _workers(experiment, recipe, data, storage, run.directory, say) as executor,
            tracked(run, experiment.trackers, watch) as told,
        ):
            if data is not None and taught:
                _teach(run, None, data, recipe, say)
            reason = Search(run, experiment, proposer, executor, told, storage).run_until_done()
        return run, with_finalists(run, reason, say)
    except sqlite3.Error as error:  # tables that can be read, and not be written to
        run.close()
        raise unreadable(str(run.directory / "run.db"), str(error)) from None
    except BaseException:
        run.close()
        raise


def inside_checkpoint(experiment: Experiment) -> tuple["Checkpoint", Experiment]:
    """Return the checkpoint that an experiment searches inside of, and the experiment with it.

    Raises:
        NasError: There is no such checkpoint, or the experiment does not go with one.
    """
    from nas.teachers.checkpoint import read_checkpoint
    from nas.teachers.space import require_inside, teacher_space

    if experiment.execution.trial_function is not None:
        raise InvalidExperiment(
            f"trial_function is {experiment.execution.trial_function!r}, which knows nothing of a "
            "checkpoint. Leave one of the two out."
        )
    if experiment.inheritance:
        raise InvalidExperiment(
            "inheritance starts a trial from another trial's weights, and those of a checkpoint's "
            "cuts come from the checkpoint. Leave one of the two out."
        )
    checkpoint = read_checkpoint(experiment.checkpoint)
    if "space" in experiment.model_fields_set:
        require_inside(experiment.space, checkpoint.architecture, experiment.mixers)
        space = experiment.space
    else:
        space = teacher_space(checkpoint.architecture, experiment.mixers)
    changed = {"space": space, "checkpoint": str(checkpoint.folder)}
    return checkpoint, experiment.model_copy(update=changed)


def _teach(
    run: Run,
    checkpoint: "Checkpoint | None",
    data: "PreparedData",
    recipe: "Recipe",
    say: Say,
) -> None:
    """Make the run's teacher, or what is not there of it yet."""
    from nas.teachers.checkpoint import read_checkpoint
    from nas.teachers.lessons import is_complete
    from nas.training.teaching import make_teacher

    outside = bool(recipe.teacher)
    if is_complete(data.teacher, data.tasks):
        return
    experiment = run.experiment
    checkpoint = checkpoint or read_checkpoint(
        recipe.teacher or experiment.checkpoint, to_cut=not outside
    )
    # a session of its own, so that what the teacher takes counts for the budget of time
    session = run.journal.begin_session()

    def told(line: str) -> None:
        run.journal.seen(session)
        say(line)

    folder, cuts = data.teacher, not outside
    if outside:
        data, recipe = for_teacher(experiment, recipe, checkpoint)
    make_teacher(
        folder, checkpoint, data, recipe,
        seed=experiment.seed, threads=available_cpus(), say=told, cuts=cuts,
    )  # fmt: skip
    run.journal.seen(session)


def _prepare_beside_ray(
    experiment: Experiment, recipe: "Recipe", checkpoint: "Checkpoint | None", say: Say
) -> "tuple[PreparedData, Recipe]":
    """Prepare the data; where nothing can be wrong with it, while Ray starts."""
    sure = experiment.data == "glue-mini" and not experiment.corpus and checkpoint is None
    if experiment.execution.engine != "ray" or not sure:
        return prepare_experiment(experiment, recipe, checkpoint, say)
    from nas.execution.on_ray import start_ray

    # In this order: only the main thread may install the signal handlers that Ray wants.
    with ThreadPoolExecutor(2, thread_name_prefix="start") as threads:
        data = threads.submit(prepare_experiment, experiment, recipe)
        threads.submit(import_module, "nas.training.trial")  # torch, which takes a second
        start_ray(experiment.execution.address, experiment.execution.dashboard)
        return data.result()


@contextmanager
def _proposer(
    experiment: Experiment, policy: "Policy", vocabulary_size: int | None
) -> Iterator[Proposer]:
    """Yield who proposes: a process of its own, or for the inline engine this one."""
    if experiment.execution.engine == "inline":
        proposer: Proposer = InlineProposer(policy)
    else:
        proposer = ProposerProcess(experiment.model_dump(mode="json"), vocabulary_size)
    try:
        yield proposer
    finally:
        proposer.close()


@contextmanager
def _workers(
    experiment: Experiment,
    recipe: "Recipe",
    data: "PreparedData | None",
    storage: Storage,
    directory: Path,
    say: Say,
) -> Iterator[Executor]:
    """Start what trains, and stop it in the end."""
    say("Starting the workers")
    need = None
    if experiment.execution.trial_function is None:
        need = partial(largest_memory_mb, experiment, {"vocabulary_size": recipe.vocabulary_size})
    executor = make_executor(experiment.execution, recipe, data, storage, need)
    try:
        say(f"Training {experiment.trials} architectures: {executor.where}")
        if experiment.execution.dashboard is not None:
            say(dashboard_words(experiment.execution.dashboard))
        with copied_record(directory, storage):
            yield executor
    finally:
        executor.close()
