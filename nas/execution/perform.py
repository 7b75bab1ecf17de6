"""What a worker does with a job: train, measure, and turn whatever happens into an outcome."""

import errno
import inspect
import platform
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.execution.executor import Job, Outcome
from nas.execution.last_lines import last_lines
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment, TrialError

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe


def perform(
    job: Job, recipe: "Recipe", data: "PreparedData | None", *, function: str | None = None
) -> Outcome:
    """Run one trial here; never raises for a fault of the trial.

    The weights travel back with the outcome, so that workers need no file system in common.

    Args:
        job: What to run.
        recipe: How to train.
        data: What to train on; None for a function that needs none.
        function: "module:function" that stands in for `nas.training.trial.run_trial`; it gets
            those of its arguments that it names.
    """
    started = time.monotonic()
    node, device = platform.node(), None
    with last_lines() as lines:
        try:
            run_trial = trial_function(function)
            device = "cpu" if function else _device(recipe)
            with tempfile.TemporaryDirectory(prefix="nas-trial-") as folder:
                path = Path(folder) / "weights.safetensors"
                measured = _call(run_trial, job, recipe, data, weights_path=path)
                weights = path.read_bytes() if path.is_file() else None
        except Exception as error:
            return Outcome(
                job.trial,
                seconds=time.monotonic() - started,
                cause=cause_of(error),
                error=f"{type(error).__name__}: {error}",
                traceback=traceback.format_exc(),
                node=node,
                device=device,
                logs="\n".join(lines),
            )
    return Outcome(
        job.trial,
        scores=dict(measured["scores"]),
        costs=dict(measured["costs"]),
        details=dict(measured.get("details") or {}),
        seconds=time.monotonic() - started,
        weights=weights,
        node=node,
        device=device,
        logs="\n".join(lines),
    )


def trial_function(name: str | None) -> Callable[..., Any]:
    """Return what trains: `run_trial`, or the function that "module:function" names.

    Raises:
        InvalidExperiment: There is no such module or function.
    """
    if name is None:
        from nas.training.trial import run_trial

        return run_trial
    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidExperiment(
            f"trial_function is {name!r}, which cannot be imported: {error}. Write "
            "package.module:function, importable here and on every worker."
        ) from None


def _device(recipe: "Recipe") -> str:
    from nas.training.trial import trial_device

    return trial_device(recipe)


def _call(
    run_trial: Callable[..., Any],
    job: Job,
    recipe: "Recipe",
    data: "PreparedData | None",
    **places: Any,
) -> Mapping[str, Any]:
    """Call `run_trial` with what it takes of a job; return its measurement as a mapping."""
    arguments = {
        "seed": job.seed,
        "deadline": job.timeout,
        "fidelity": job.fidelity,
        "learning_rate_scale": job.learning_rate_scale,
        "micro_batches": job.micro_batches,
        **places,
    }
    taken = inspect.signature(run_trial).parameters
    architecture = Architecture.from_dict(job.architecture)
    measured = run_trial(
        architecture, recipe, data, **{k: v for k, v in arguments.items() if k in taken}
    )
    return measured if isinstance(measured, Mapping) else vars(measured)


def cause_of(error: BaseException) -> str:
    """Return the name the record uses for what `error` means."""
    if isinstance(error, TrialError):
        return error.cause
    # Matched by name because torch may not be importable when this is called.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out-of-memory"
    text = str(error)
    if "CUDA out of memory" in text or "CUBLAS_STATUS_ALLOC_FAILED" in text:
        return "out-of-memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no-space"
    return "error"
