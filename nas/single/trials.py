"""What a finished run needs to train again: its recipe, its data, its trials' seeds."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.runs.directory import Run
from nas.runs.storage import Storage, open_storage, weights_name
from search_spaces import Architecture
from search_spaces.errors import RunError, quoted

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe
    from nas.training.task_models import TaskModel
    from nas.training.watch import StageCallback


def training_of(run: Run) -> tuple["Recipe", "PreparedData"]:
    """Return the recipe and the data that every trial of `run` was trained with.

    Raises:
        NasError: The run's experiment or data cannot be read.
    """
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe

    recipe = Recipe.from_dict(run.experiment.recipe)
    return recipe, PreparedData.load(run.directory / "data", mmap=False, needed=recipe.tasks)


def device_here(run: Run) -> str:
    """Return the name of the device that `run`'s trials would be trained on here."""
    from nas.training.recipe import Recipe
    from nas.training.trial import trial_device

    return trial_device(Recipe.from_dict(run.experiment.recipe))


def task_models_of(
    run: Run,
    trial: dict[str, Any],
    tasks: Sequence[str],
    progress: "StageCallback | None" = None,
) -> Iterator["TaskModel"]:
    """Yield the fine-tuned model of each of `tasks`, as the finished `trial` had them.

    A trial that was retried is repeated as its last attempt was.

    Args:
        run: The run.
        trial: A row of its record.
        tasks: Which of the recipe's tasks.
        progress: Called with each task and the share of it done.

    Raises:
        RunError: The trial's weights are gone.
        TrialError: Training became unstable.
    """
    from nas.training.task_models import task_models

    recipe, data = training_of(run)
    yield from task_models(
        Architecture.from_dict(trial["architecture"]),
        recipe,
        data,
        seed=trial["seed"],
        weights=trial_weights(run, trial),
        tasks=tasks,
        progress=progress,
        **adjustments(trial),
    )


def adjustments(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the last attempt of `trial` changed of the training, by argument of a trial.

    A retry after NaN has another learning rate, one after out-of-memory parts of a batch.
    """
    adjusted = trial.get("adjusted") or {}
    return {k: adjusted[k] for k in ("learning_rate_scale", "micro_batches") if k in adjusted}


def tokens_of(trial: Mapping[str, Any]) -> int | None:
    """Return the pre-training budget that a trial measured for a recipe of its own; None without.

    See `nas.training.equal_seconds`.
    """
    found = (trial.get("details") or {}).get("budget_tokens")
    return None if found is None else int(found)


def trial_weights(run: Run, trial: dict[str, Any]) -> dict[str, Any]:
    """Return the tensors that a finished trial left, "encoder.*" and "mlm.*".

    Raises:
        RunError: They are gone, or cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    run.require_trusted("nas export")
    storage = open_storage(run.experiment.execution.storage, run.directory, run.id)
    # Where not every node reaches the storage, weights come back through the driver.
    places = (storage, Storage(str(run.directory.resolve())))
    name = weights_name(trial["hash"], trial["fidelity"])
    advice = f"Pick another trial; see: nas trials {quoted(run.directory)}"
    with tempfile.TemporaryDirectory(prefix="nas-export-") as folder:
        path = Path(folder) / "weights.safetensors"
        if not any(place.get(name, path) for place in places):
            raise RunError(
                _gone(run, trial, storage)
                or f"The weights of trial {trial['trial']} are gone: {storage.shown} has no "
                f"{name}. {advice}"
            )
        try:
            return load(path.read_bytes())
        except (SafetensorError, OSError, ValueError) as error:
            raise RunError(
                f"The weights of trial {trial['trial']} cannot be read: {storage.shown}/{name} "
                f"({error}). {advice}"
            ) from None


def _gone(run: Run, trial: dict[str, Any], storage: Storage) -> str | None:
    """Say what to do about weights that the run did not keep; None where it keeps all."""
    most = run.experiment.execution.keep_weights
    if most == "all":
        return None
    there = {name.rpartition("/")[2].partition(".")[0] for name in storage.sizes("weights")}
    kept = [h[:10] for h in run.finished()["hash"] if h in there]
    return (
        f"The weights of trial {trial['trial']} were removed: execution.keep_weights is {most}, "
        f"and it is neither among the best {most} nor on the front. Pick one that was kept "
        f"({', '.join(kept[:10]) or 'none'}), or train it again with: "
        f"nas train {quoted(run.directory)}/{trial['hash'][:10]} "
        f"--experiment {run.directory / 'experiment.yaml'} --seed {trial['seed']}"
    )
