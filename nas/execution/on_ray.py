"""Trials as Ray tasks: on this machine, or on a cluster by its address.

The search loop drives the tasks itself, with `ray.wait`, because proposals, retries and the
record must be ours to replay. A worker process is reused by the next trial, so that torch is
imported once a process.
"""

import os
import socket
import time
from typing import TYPE_CHECKING, Any

from nas.execution.executor import Executor, Job, Outcome
from search_spaces.errors import InvalidExperiment, RunError

if TYPE_CHECKING:
    from nas.config import Execution
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe

# A trial watches its own deadline; one that does not answer this much later is ended from outside.
_GRACE = 60.0
_KNOCK_SECONDS = 10.0
# Shared memory for the data of one search, which is tens of megabytes.
_OBJECT_STORE_BYTES = 512 * 1024**2


def start_ray(address: str | None) -> dict[str, float]:
    """Connect to the cluster at `address`, or start Ray on this machine; return its resources.

    Raises:
        RunError: No Ray answers at the address.
    """
    import ray

    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if not ray.is_initialized():
        # A task without a GPU must see none; without this, Ray prints a notice on every start.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address:
            try:
                _knock(address)
                ray.init(address=address, **quiet)
            except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
                raise RunError(
                    f"No Ray cluster answers at {address!r}: {error}. Start one with 'ray start "
                    "--head', or leave the address out to use this machine."
                ) from None
        else:
            # "local": never join a cluster that somebody happens to have started here.
            ray.init(
                address="local",
                num_cpus=available_cpus(),
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                **quiet,
            )
    return ray.cluster_resources()


def _knock(address: str) -> None:
    """Raise OSError if nobody listens at `address`, which Ray itself takes minutes to say."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()


def available_cpus() -> int:
    """Return the number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class RayExecutor(Executor):
    """Runs each job as a Ray task.

    Raises:
        InvalidExperiment: A trial asks for more than the machine or the cluster has.
    """

    def __init__(self, settings: "Execution", recipe: "Recipe", data: "PreparedData"):
        import ray

        self._ray = ray
        resources = start_ray(settings.address)
        cpus, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
        if settings.gpus_per_trial == "auto":
            gpus_per_trial = 1.0 if gpus else 0.0
        else:
            gpus_per_trial = settings.gpus_per_trial
        for what, wanted, has in (
            ("cpus_per_trial", settings.cpus_per_trial, cpus),
            ("gpus_per_trial", gpus_per_trial, gpus),
        ):
            if wanted > has:
                raise InvalidExperiment(
                    f"{what} is {wanted:g}, but Ray has {has:g} here. "
                    f"Set {what} to at most {has:g}."
                )
        places = int(cpus / settings.cpus_per_trial)
        if gpus_per_trial:
            places = min(places, int(gpus / gpus_per_trial))
        self.capacity = max(1, min(places, settings.max_concurrent or places))
        nodes = sum(1 for node in ray.nodes() if node["Alive"])
        machines = "this machine" if not settings.address else f"{nodes} nodes"
        self.where = f"Ray on {machines}: {self.capacity} at once, {cpus:g} CPUs, {gpus:g} GPUs"
        self._recipe, self._data = ray.put(recipe), ray.put(data)
        # A lost worker is retried by the search, which records it; Ray must not do so silently.
        self._perform = ray.remote(_perform).options(
            num_cpus=settings.cpus_per_trial, num_gpus=gpus_per_trial, max_retries=0
        )
        self._running: dict[Any, tuple[Job, float]] = {}

    def submit(self, job: Job) -> None:
        reference = self._perform.remote(job, self._recipe, self._data)
        self._running[reference] = (job, time.monotonic())

    def wait(self, seconds: float) -> list[Outcome]:
        if not self._running:
            return []
        ready, _ = self._ray.wait(
            list(self._running), num_returns=1, timeout=seconds, fetch_local=True
        )
        return [self._collect(reference) for reference in ready] + self._overdue()

    def _collect(self, reference: Any) -> Outcome:
        job, started = self._running.pop(reference)
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.OutOfMemoryError as error:
            cause, message = "out-of-memory", str(error)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.ObjectLostError) as error:
            cause, message = "lost", str(error)
        except errors.RayError as error:
            cause, message = "error", str(error)
        return Outcome(
            job.trial,
            seconds=time.monotonic() - started,
            cause=cause,
            error=message.strip().splitlines()[0],
            traceback=message,
        )

    def _overdue(self) -> list[Outcome]:
        now, ended = time.monotonic(), []
        for reference, (job, started) in list(self._running.items()):
            if now - started > job.timeout + _GRACE:
                self._ray.cancel(reference, force=True)
                del self._running[reference]
                ended.append(
                    Outcome(
                        job.trial,
                        seconds=now - started,
                        cause="time-out",
                        error=f"No answer {_GRACE:g} s after the limit of {job.timeout:g} s.",
                    )
                )
        return ended

    def close(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running.clear()
        self._ray.shutdown()


def _perform(job: Job, recipe: "Recipe", data: "PreparedData") -> Outcome:
    # Imported in the worker, so that the driver needs no torch to submit.
    from nas.execution.perform import perform

    return perform(job, recipe, data)
