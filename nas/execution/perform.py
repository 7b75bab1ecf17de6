"""What a worker does with a job: train, measure, and turn whatever happens into an outcome."""

import errno
import logging
import platform
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from nas.evaluation.derived import derived_values
from nas.evaluation.measured import values_of
from nas.evaluation.mistakes import plain_mistakes
from nas.execution.answers import plain_answer, plain_numbers
from nas.execution.interrupts import meant_for_us
from nas.execution.jobs import Job, Outcome
from nas.execution.last_lines import last_lines
from nas.execution.trial_files import TrialFiles, trial_files
from nas.execution.trial_function import TrialFunction, trial_function
from nas.printable import error_text
from nas.runs.storage import Storage, result_name
from search_spaces import Architecture
from search_spaces.errors import TrialError

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe

_log = logging.getLogger(__name__)

# A shorter trial is sooner repeated than certain to be on the disk: it would wait for the disk
# every time, for a power cut in the milliseconds until the driver has committed its result.
_WORTH_SYNCING = 1.0  # seconds


def perform(
    job: Job,
    recipe: "Recipe",
    data: "PreparedData | None",
    *,
    function: str | None = None,
    storage: Storage | None = None,
    checkpoint_seconds: float = 60.0,
    own_process: bool = False,
) -> Outcome:
    """Run one trial here; never raises for a fault of the trial.

    A trial that finished before, and whose driver died before it heard of it, is not trained
    again: its result is in the storage.

    Args:
        job: What to run.
        recipe: How to train.
        data: What to train on; None for a function that needs none.
        function: "module:function" that stands in for `nas.training.trial.run_trial`; it gets
            those of its arguments that it names.
        storage: Where weights, checkpoints and results are kept; None where the worker reaches no
            place in common with the driver: the weights then travel back with the outcome.
        checkpoint_seconds: How often the trial writes its state.
        own_process: Whether nobody interrupts this process but the trial itself.
    """
    started = time.monotonic()
    node, device = platform.node(), None
    with last_lines() as lines:
        try:
            run_trial = trial_function(function)
            if job.tasks is not None:
                recipe = replace(recipe, tasks=job.tasks)
            device = "cpu" if function else _device(recipe)
            architecture = Architecture.from_dict(job.architecture)
            finished = _finished_before(storage, job, architecture) if storage else None
            if finished is not None:
                return finished
            parent = job.inherit["hash"] if job.inherit else None
            with trial_files(
                storage, architecture.hash, job.fidelity, parent, checkpoint_seconds
            ) as files:
                orphan = parent is not None and files.parent is None
                if orphan:
                    _log.warning("The weights of the parent %s are gone: from scratch", parent)
                answer = _call(
                    run_trial, job, architecture, recipe, data, files, checkpoint_seconds
                )
                measured = plain_answer(answer)
                has_weights = storage is None and files.weights.is_file()
                weights = files.weights.read_bytes() if has_weights else None
            details = measured["details"]
            derived = derived_values(architecture, values_of(measured))
            if orphan:
                details["missing_parent"] = parent
            outcome = Outcome(
                job.trial,
                scores=measured["scores"],
                costs={**measured["costs"], **plain_numbers(derived, "objectives")},
                details=details,
                seconds=time.monotonic() - started,
                weights=weights,
                mistakes=plain_mistakes(getattr(answer, "mistakes", {})),
                node=node,
                device=device,
                logs="\n".join(lines),
            )
            if storage is not None:
                storage.write_json(
                    _result_name(job, architecture),
                    dict(vars(outcome)),
                    synced=outcome.seconds >= _WORTH_SYNCING,
                )
                if job.fidelity == 1:
                    storage.remove(f"checkpoints/{architecture.hash}")
            return outcome
        except BaseException as error:
            # One that a trial function raises itself, as sys.exit does, is a failure of the trial.
            ours = isinstance(error, KeyboardInterrupt) and not own_process
            if ours and meant_for_us(error):
                raise
            return Outcome(
                job.trial,
                seconds=time.monotonic() - started,
                cause=cause_of(error),
                error=error_text(error),
                traceback=traceback.format_exc(),
                node=node,
                device=device,
                logs="\n".join(lines),
            )


def _result_name(job: Job, architecture: Architecture) -> str:
    parent = (job.inherit or {}).get("hash")
    return result_name(
        architecture.hash, job.seed, job.fidelity, job.learning_rate_scale, parent, job.tasks
    )


def _finished_before(storage: Storage, job: Job, architecture: Architecture) -> Outcome | None:
    """Return how this job ended before, if it did and its file is one of ours."""
    found = storage.read_json(_result_name(job, architecture))
    if found is None:
        return None
    try:
        return Outcome(**{**found, "trial": job.trial})
    except TypeError as error:
        _log.warning("The result that trial %d left is not readable: %s", job.trial, error)
        return None


def _device(recipe: "Recipe") -> str:
    from nas.training.trial import trial_device

    return trial_device(recipe)


def _call(
    run_trial: TrialFunction,
    job: Job,
    architecture: Architecture,
    recipe: "Recipe",
    data: "PreparedData | None",
    files: TrialFiles,
    checkpoint_seconds: float,
) -> object:
    """Call `run_trial` with what it takes of a job; return its answer as it comes."""
    arguments = {
        "architecture": architecture,
        "recipe": recipe,
        "data": data,
        "seed": job.seed,
        "deadline": job.timeout,
        "fidelity": job.fidelity,
        "learning_rate_scale": job.learning_rate_scale,
        "micro_batches": job.micro_batches,
        "weights_path": files.weights,
        "checkpoint": files.checkpoint,
        "checkpoint_seconds": checkpoint_seconds,
        "tokens": job.tokens,
    }
    if run_trial.takes("inherit") and job.inherit and files.parent is not None:
        from nas.models.transfer import Inheritance

        parent = Architecture.from_dict(job.inherit["architecture"])
        arguments["inherit"] = Inheritance(parent, files.parent)
    return run_trial.call(arguments)


def cause_of(error: BaseException) -> str:
    """Return the name the record uses for what `error` means."""
    if isinstance(error, TrialError):
        return error.cause
    # Matched by name because torch may not be importable when this is called.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out-of-memory"
    text = error_text(error)
    if "CUDA out of memory" in text or "CUBLAS_STATUS_ALLOC_FAILED" in text:
        return "out-of-memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no-space"
    return "error"
