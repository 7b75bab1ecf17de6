"""Trials as Ray tasks: on this machine, or on a cluster by its address.

The search loop drives the tasks itself, with `ray.wait`, because proposals, retries and the
record must be ours to replay. A worker process is reused by the next trial, so that torch is
imported once a process.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from nas.execution.cluster import Node, alive_nodes, reachable, require_places
from nas.execution.endings import outcome_of
from nas.execution.interrupts import handlers_kept
from nas.execution.jobs import EngineGone, Executor, Job, Outcome
from nas.execution.packing import device_memory_mb, gpu_share
from nas.execution.ray_alive import Head, RayAlive, unless
from nas.execution.ray_session import end_session, start_session, want_token
from nas.execution.whereabouts import Whereabouts, hide_gpus, verify_device, whereabouts
from search_spaces.errors import RunError, TrialError

if TYPE_CHECKING:
    from nas.config import Execution
    from nas.data.prepared import PreparedData
    from nas.runs.storage import Storage
    from nas.training.recipe import Recipe

# A trial watches its own deadline; one that does not answer this much later is ended from outside.
_GRACE = 60.0
_KNOCK_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 5.0


def start_ray(address: str | None, dashboard: int | None = None) -> dict[str, float]:
    """Connect to the cluster at `address`, or start Ray on this machine; return its resources.

    Args:
        address: Of a cluster; None starts Ray here.
        dashboard: Port of the dashboard of what is started here; None has none.

    Raises:
        RunError: No Ray answers at the address, or this machine does not let Ray start.
        EngineGone: Ray has ended before it had started.
    """
    if not address:
        want_token()
    import ray

    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if not ray.is_initialized():
        # A task without a GPU must see none; without this, Ray prints a notice on every start.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Outside the main thread Ray warns that it leaves SIGTERM alone, which is ours.
        logging.getLogger("ray").setLevel(logging.ERROR)
        with handlers_kept():  # Ray's own for SIGTERM ends the process with code 15
            if address:
                _connect(address, quiet)
            else:
                start_session(quiet, dashboard)
    return RayAlive().during(ray.cluster_resources)


def _connect(address: str, quiet: dict[str, Any]) -> None:
    import ray

    try:
        _knock(address)
        init = partial(ray.init, address=address, **quiet)
        if address.startswith("ray://"):  # a client, which says itself that nobody answers
            init()
        else:  # Ray waits for a head that dies meanwhile as it does for its own
            unless(init, Head(address).require)
    except EngineGone:
        end_session()
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, there is no connection
        end_session()
        raise _no_connection(address, error) from None


def _no_connection(address: str, error: Exception) -> RunError:
    """Say why Ray did not connect, and what to do about it."""
    if "ersion mismatch" in str(error):
        found = " ".join(str(error).split())
        return RunError(
            f"The Ray cluster at {address!r} and this machine have different versions: {found} "
            "Install the same Ray and the same Python (to the micro version) on all of them."
        )
    if type(error).__name__ == "AuthenticationError" or "nauthenticated" in str(error):
        return RunError(
            f"The Ray cluster at {address!r} wants a token that this machine does not give. Set "
            "RAY_AUTH_MODE=token here and copy the head's ~/.ray/auth_token to this machine, or "
            "put it into RAY_AUTH_TOKEN."
        )
    return RunError(
        f"No Ray cluster answers at {address!r}: {error}. Start one with 'ray start --head', or "
        "leave the address out to use this machine."
    )


def _knock(address: str) -> None:
    """Raise OSError if nobody listens at `address`, which Ray itself takes minutes to say."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()


@dataclass
class _Task:
    """A trial that Ray has: since when, and where once it has begun."""

    job: Job
    submitted: float
    place: Whereabouts | None = None
    begun: float | None = None

    def seconds(self) -> float:
        return time.monotonic() - (self.begun or self.submitted)


class RayExecutor(Executor):
    """Runs each job as a Ray task.

    Raises:
        InvalidExperiment: A trial asks for more than the machine or the cluster has.
    """

    def __init__(
        self,
        settings: "Execution",
        recipe: "Recipe",
        data: "PreparedData | None",
        storage: "Storage | None" = None,
        memory_mb: Callable[[], float] | None = None,
    ):
        import ray

        self._ray = ray
        resources = start_ray(settings.address, settings.dashboard)
        cpus, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
        self._device_mb = None
        if settings.gpus_per_trial != "auto":
            gpus_per_trial = settings.gpus_per_trial
        elif gpus and memory_mb is not None:
            self._device_mb = device_memory_mb()
            gpus_per_trial = gpu_share(memory_mb(), self._device_mb)
        else:
            gpus_per_trial = 1.0 if gpus else 0.0
        self._settings, self.gpus_per_trial = settings, gpus_per_trial
        self._alive = RayAlive()
        nodes = self._alive.during(alive_nodes)
        require_places(nodes, settings.cpus_per_trial, gpus_per_trial)
        self._nodes, self._looked = {node.id for node in nodes}, time.monotonic()
        self.capacity = self._room_on(nodes)
        self._grows = bool(settings.address and (settings.max_concurrent or 0) > self.capacity)
        if self._grows:
            self._ask_cluster_for(settings.max_concurrent)
        machines = (
            "this machine" if not settings.address else f"{len(nodes)} node{'s' * (len(nodes) > 1)}"
        )
        self.where = f"Ray on {machines}: {self.capacity} at once, {cpus:g} CPUs, {gpus:g} GPUs"
        if 0 < gpus_per_trial < 1:
            self.where += f", {int(1 / gpus_per_trial + 1e-6)} trials on a GPU"
        # The recipe is small: as an object of the store, each trial would have to fetch it.
        self._recipe, self._data = recipe, None if data is None else ray.put(data)
        self._storage = storage
        self._unchecked = set(self._nodes) if settings.address else set()
        self._task = ray.remote(_perform)
        self._tasks: dict[float, Any] = {}
        self._running: dict[Any, _Task] = {}

    def _room_on(self, nodes: Sequence[Node]) -> int:
        places = sum(n.places(self._settings.cpus_per_trial, self.gpus_per_trial) for n in nodes)
        return max(1, min(places, self._settings.max_concurrent or places))

    def _ask_cluster_for(self, trials: int) -> None:
        """Have a cluster that grows by itself make room for so many trials; others ignore it."""
        from ray.autoscaler.sdk import request_resources

        # A search starts no more than fits, so the cluster would never see that it wants more.
        wants = {"CPU": self._settings.cpus_per_trial}
        if self.gpus_per_trial:
            wants["GPU"] = self.gpus_per_trial
        request_resources(bundles=[wants] * trials)

    def _look_for_nodes(self) -> None:
        """Use nodes that joined the cluster, and expect nothing of those that left it."""
        now = time.monotonic()
        if not self._settings.address or now - self._looked < _LOOK_EVERY_SECONDS:
            return
        self._looked, nodes = now, self._alive.during(alive_nodes)
        before, self._nodes = self._nodes, {node.id for node in nodes}
        self._unchecked |= self._nodes - before
        self.capacity = self._room_on(nodes)

    def submit(self, job: Job) -> None:
        if self._unchecked:
            self._storage = reachable(self._storage, self._unchecked)
            self._unchecked = set()
        gpus = self._gpus_of(job)
        options = {
            "function": self._settings.trial_function,
            "storage": self._storage,
            "checkpoint_seconds": self._settings.checkpoint_seconds,
        }
        first, task = gpus not in self._tasks, self._task_with(gpus)

        def send() -> Any:
            return task.remote(job, self._recipe, self._data, gpus, options)

        # With the first one, Ray hands the function itself to its global control service.
        answers = self._alive.during(send) if first else send()
        self._running[answers] = _Task(job, time.monotonic())

    def _task_with(self, gpus: float) -> Any:
        """Return what Ray runs, with so many GPUs reserved."""
        if gpus not in self._tasks:
            # A lost worker is retried by the search, which records it; Ray must not do so silently.
            # Two answers: where it runs, at once, and how it ended.
            self._tasks[gpus] = self._task.options(
                num_cpus=self._settings.cpus_per_trial,
                num_gpus=gpus,
                max_retries=0,
                num_returns="streaming",
            )
        return self._tasks[gpus]

    def _gpus_of(self, job: Job) -> float:
        """Return a trial's GPUs: the usual share, or more where it would not fit into that."""
        if not self.gpus_per_trial:
            return 0.0
        if job.alone:
            return max(1.0, self.gpus_per_trial)
        if self._device_mb is None:
            return self.gpus_per_trial
        predicted = gpu_share(job.memory_mb, self._device_mb) if job.memory_mb else 0.0
        return max(self.gpus_per_trial, predicted)

    def wait(self, seconds: float) -> list[Outcome]:
        self._alive.require()
        self._look_for_nodes()
        outcomes: list[Outcome] = []
        until = time.monotonic() + seconds
        while self._running and not outcomes:
            left = max(0.0, until - time.monotonic())
            ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=left)
            self._alive.require()  # what a dead Ray says of its trials is not their ending
            for answers in ready:
                outcomes += self._collect(answers)
            outcomes += self._overdue()
            if not ready and not left:
                break
        return outcomes

    def _collect(self, answers: Any) -> list[Outcome]:
        task = self._running[answers]
        try:
            answer = self._ray.get(next(answers))
        except (StopIteration, self._ray.exceptions.RayError) as error:
            del self._running[answers]
            return [outcome_of(task.job.trial, error, task.place, task.seconds())]
        if isinstance(answer, Whereabouts):
            task.place, task.begun = answer, time.monotonic()
            return []
        del self._running[answers]
        return [answer]

    def _overdue(self) -> list[Outcome]:
        ended = []
        for answers, task in list(self._running.items()):
            # The clock runs from the trial's begin: waiting for a free place is no fault of it.
            if task.begun is None or task.seconds() <= task.job.timeout + _GRACE:
                continue
            self._ray.cancel(answers, force=True)
            del self._running[answers]
            ended.append(
                Outcome(
                    task.job.trial,
                    seconds=task.seconds(),
                    cause="time-out",
                    error=f"No answer {_GRACE:g} s after the limit of {task.job.timeout:g} s.",
                    node=task.place.node if task.place else None,
                )
            )
        return ended

    def close(self) -> None:
        for answers in self._running:
            self._ray.cancel(answers, force=True)
        self._running.clear()
        if self._grows and self._ray.is_initialized():
            self._ask_cluster_for(0)
        end_session()


def _perform(
    job: Job,
    recipe: "Recipe",
    data: "PreparedData | None",
    gpus: float,
    options: dict[str, Any],
) -> Iterator[Whereabouts | Outcome]:
    place = whereabouts()
    if not gpus:
        hide_gpus()
    yield place
    try:
        verify_device(gpus, place.gpus, torch_needs_it=options["function"] is None)
    except TrialError as error:
        yield Outcome(job.trial, cause=error.cause, error=str(error), node=place.node)
        return
    # Imported in the worker, so that the driver needs no torch to submit.
    from nas.execution.perform import perform

    yield perform(job, recipe, data, own_process=True, **options)
