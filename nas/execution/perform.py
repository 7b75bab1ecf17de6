"""What a worker does with a job: train, measure, and turn whatever happens into an outcome."""

import platform
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from nas.execution.executor import Job, Outcome
from search_spaces import Architecture
from search_spaces.errors import TrialError

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe


def perform(job: Job, recipe: "Recipe", data: "PreparedData") -> Outcome:
    """Run one trial here; never raises for a fault of the trial.

    The weights travel back with the outcome, so that workers need no file system in common.
    """
    started = time.monotonic()
    node, device = platform.node(), None
    try:
        from nas.training.trial import run_trial, trial_device

        device = trial_device(recipe)
        with tempfile.TemporaryDirectory(prefix="nas-trial-") as folder:
            path = Path(folder) / "weights.safetensors"
            measurement = run_trial(
                Architecture.from_dict(job.architecture),
                recipe,
                data,
                seed=job.seed,
                deadline=job.timeout,
                weights_path=path,
            )
            weights = path.read_bytes()
    except Exception as error:
        return Outcome(
            job.trial,
            seconds=time.monotonic() - started,
            cause=cause_of(error),
            error=f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
            node=node,
            device=device,
        )
    return Outcome(
        job.trial,
        scores=measurement.scores,
        costs=measurement.costs,
        details=measurement.details,
        seconds=time.monotonic() - started,
        weights=weights,
        node=node,
        device=device,
    )


def cause_of(error: Exception) -> str:
    """Return the name the record uses for what `error` means."""
    if isinstance(error, TrialError):
        return error.cause
    # Matched by name because torch may not be importable when this is called.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out-of-memory"
    return "error"
