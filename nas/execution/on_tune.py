"""The same trials under Ray Tune, for those who want its schedulers, callbacks and loggers.

`nas search` has its own loop, whose record can be replayed; this is for users whose tools are
built around Tune. What proposes is any policy, as a `PolicySearcher`.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.evaluation.measured import values_of
from nas.execution.jobs import Job, Outcome
from search_spaces.errors import NasError, TrialError
from search_spaces.registry import Registry

if TYPE_CHECKING:
    from ray import tune
    from ray.tune.schedulers import TrialScheduler

    from nas.config import Experiment
    from nas.data.prepared import PreparedData
    from nas.runs.storage import Storage
    from nas.training.recipe import Recipe
    from surrogates.policy import Policy

# name -> module and class of the callback, and what to install for it.
LOGGERS: Registry[tuple[str, str, str]] = Registry("logger", group="nas.loggers")
LOGGERS.register("tensorboard")(("ray.tune.logger", "TBXLoggerCallback", "tensorboardX"))
LOGGERS.register("mlflow")(
    ("ray.air.integrations.mlflow", "MLflowLoggerCallback", "encoder-nas[mlflow]")
)
LOGGERS.register("wandb")(
    ("ray.air.integrations.wandb", "WandbLoggerCallback", "encoder-nas[wandb]")
)


def make_logger(name: str, **options: Any) -> "tune.Callback":
    """Return a callback of Tune that sends results to a tracker.

    Args:
        name: "tensorboard", "mlflow" or "wandb".
        options: What the callback takes, such as `project` or `tracking_uri`.

    Raises:
        UnknownName: No logger has this name.
        NasError: Its package is not installed.
    """
    module, attribute, package = LOGGERS[name]
    try:
        import_module({"tensorboard": "tensorboardX"}.get(name, name))
    except ImportError as error:
        raise NasError(
            f"The logger {name!r} needs a package that is not installed ({error}). "
            f"Run: pip install '{package}'"
        ) from None
    return getattr(import_module(module), attribute)(**options)


def make_tuner(
    experiment: "Experiment",
    recipe: "Recipe",
    data: "PreparedData | None",
    policy: "Policy",
    folder: Path,
    *,
    fidelities: Sequence[float] = (1.0,),
    scheduler: "TrialScheduler | None" = None,
    callbacks: Sequence["tune.Callback"] = (),
) -> "tune.Tuner":
    """Return a Tuner that trains `experiment.trials` architectures; `fit()` runs it.

    Each of `fidelities` is one iteration for the scheduler, so that ASHA with
    `max_t=len(fidelities)` stops a trial between two of them; a trial that goes on continues from
    its checkpoint.

    Args:
        experiment: Says how many trials and what each may use.
        recipe: How they are trained.
        data: What on; None with a `trial_function`.
        policy: What proposes.
        folder: Where Tune keeps its results, and the weights and checkpoints lie.
        fidelities: Shares of the pre-training tokens, ascending, the last one 1.
        scheduler: One of Tune's.
        callbacks: Tune's, such as `make_logger("tensorboard")`.
    """
    from ray import tune

    from nas.execution.tune_searcher import PolicySearcher
    from nas.runs.storage import open_storage

    execution = experiment.execution
    storage = open_storage(execution.storage, Path(folder) / "files")
    train = tune.with_parameters(
        _trainable,
        recipe=recipe,
        data=data,
        rungs=tuple(fidelities),
        seed=experiment.seed,
        storage=storage,
        execution=execution,
    )
    gpus = execution.gpus_per_trial
    resources = {"cpu": execution.cpus_per_trial, "gpu": 0 if gpus == "auto" else gpus}
    searcher = PolicySearcher(policy)
    return tune.Tuner(
        tune.with_resources(train, resources),
        tune_config=tune.TuneConfig(
            metric=searcher.metric,
            mode=searcher.mode,
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=experiment.trials,
            max_concurrent_trials=execution.max_concurrent or 0,
        ),
        run_config=tune.RunConfig(
            name="tune", storage_path=str(Path(folder).resolve()), callbacks=list(callbacks)
        ),
    )


def _trainable(
    config: dict[str, Any],
    *,
    recipe: "Recipe",
    data: "PreparedData | None",
    rungs: tuple[float, ...],
    seed: int,
    storage: "Storage",
    execution: Any,
) -> None:
    """Train one architecture rung by rung and report each; the scheduler may stop it between."""
    from ray import tune

    from nas.execution.jobs import trial_seed
    from nas.execution.perform import perform

    for fidelity in rungs:
        job = Job(
            0,
            config["architecture"],
            seed=trial_seed(seed, config["hash"]),
            timeout=execution.trial_timeout,
            fidelity=fidelity,
        )
        outcome = perform(
            job,
            recipe,
            data,
            function=execution.trial_function,
            storage=storage,
            checkpoint_seconds=execution.checkpoint_seconds,
        )
        tune.report(_metrics(outcome, fidelity))


def _metrics(outcome: Outcome, fidelity: float) -> dict[str, Any]:
    if outcome.cause is not None:
        raise TrialError(f"{outcome.error}\n{outcome.traceback or ''}", cause=outcome.cause)
    return {**values_of(vars(outcome)), "fidelity": fidelity}
