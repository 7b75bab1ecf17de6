"""Trackers: where people watch many runs at once. TensorBoard always, others by name.

A tracker only repeats what the record says; if one fails, the search goes on without it.
"""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.evaluation.measured import values_of
from search_spaces.errors import NasError
from search_spaces.registry import Registry

if TYPE_CHECKING:
    from nas.runs.directory import Run
    from nas.search.progress import Progress

_LOG = logging.getLogger(__name__)
FOLDER = "tensorboard"
_FLUSH_SECONDS = 10.0


class Tracker(ABC):
    """Hears of each trial that ended.

    Args:
        run: The run; its finished trials are in its record already.
    """

    def __init__(self, run: "Run"):
        self.run = run

    @abstractmethod
    def log(self, record: Mapping[str, Any], best: float | None) -> None:
        """Hear of a trial.

        Args:
            record: Its row of the record; "done" or "failed".
            best: Best value of the first objective so far.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish writing."""


TRACKERS: Registry[Callable[["Run"], Tracker]] = Registry("tracker", group="nas.trackers")


@TRACKERS.register("tensorboard")
class TensorBoard(Tracker):
    """Scalars over the number of ended trials, in RUN/tensorboard.

    The events are written anew from the record, so that they always agree with it, when the next
    trial ends: a run that is refused before that keeps the events it has.
    """

    def __init__(self, run: "Run"):
        super().__init__(run)
        self._run = run
        self._writer: Any = None
        self._step, self._flushed = 0, 0.0

    def log(self, record: Mapping[str, Any], best: float | None) -> None:
        if self._writer is None:
            self._begin(record["trial"])
        self._write(record, best)

    def _begin(self, latest: int) -> None:
        """Open the file and write what the record has beside the trial that ended just now."""
        # Not its SummaryWriter: that writes in a thread, and again when Python exits, where a full
        # disk is a traceback and not an error that anybody could catch.
        from tensorboardX.event_file_writer import EventsWriter

        run = self._run
        folder = run.directory / FOLDER
        folder.mkdir(exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = EventsWriter(str(folder / "events"))
        name, direction = next(iter(run.objectives.items()))
        self._best = f"best/{name}"
        better, best = (max if direction == "max" else min), None
        ended = [r for r in run.journal.trials() if r["status"] in ("done", "failed")]
        for record in sorted(ended, key=lambda r: r["finished_at"]):
            if record["trial"] == latest:
                continue
            if record["status"] == "done":
                value = values_of(record)[name]
                best = value if best is None else better(best, value)
            self._write(record, best)

    def _write(self, record: Mapping[str, Any], best: float | None) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        self._step += 1
        at = record.get("finished_at") or time.time()  # a live row has no time of its own yet
        values = {f"trial/{name}": value for name, value in trial_scalars(record).items()}
        values["trial/failed"] = float(record["status"] == "failed")
        if best is not None:
            values[self._best] = best
        # One event with all of them: `add_scalar` would make an event of each.
        row = [Summary.Value(tag=tag, simple_value=float(v)) for tag, v in values.items()]
        self._writer.write_event(Event(wall_time=at, step=self._step, summary=Summary(value=row)))
        now = time.monotonic()
        if now - self._flushed >= _FLUSH_SECONDS:
            self._flushed = now
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def trial_scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """Return every number of a trial: scores, costs, and the seconds it took."""
    numbers = values_of(record)
    if record.get("seconds") is not None:
        numbers["seconds"] = float(record["seconds"])
    return numbers


class RayCallback(Tracker):
    """Sends each trial through one of Ray's own callbacks, as a run of the tracker's own.

    Args:
        run: The run.
        name: The callback's name in `nas.execution.on_tune.LOGGERS`.
        options: Its options.
    """

    def __init__(self, run: "Run", name: str, **options: Any):
        super().__init__(run)
        from nas.execution.on_tune import make_logger

        self._callback = make_logger(name, **options)
        self._callback.setup()

    def log(self, record: Mapping[str, Any], best: float | None) -> None:
        trial = _Trial(self.run.directory, record)
        result: dict[str, Any] = {"training_iteration": 1, **trial_scalars(record)}
        if best is not None:
            result["best"] = best
        self._callback.log_trial_start(trial)
        self._callback.log_trial_result(1, trial, result)
        self._callback.log_trial_end(trial, failed=record["status"] == "failed")

    def close(self) -> None:
        self._callback.on_experiment_end(trials=[])


class _Trial:
    """What Ray's callbacks ask of a trial of Tune."""

    def __init__(self, directory: Path, record: Mapping[str, Any]):
        self.trial_id = f"{directory.resolve().name}-{record['trial']}"
        self.experiment_dir_name = directory.resolve().name
        self.local_path = str(directory / FOLDER)
        self.checkpoint = None
        self.config = {
            "hash": record["hash"],
            "architecture": str(record["architecture"])[:500],
            "fidelity": record.get("fidelity"),
            "seed": record.get("seed"),
        }

    def __str__(self) -> str:
        return self.trial_id

    def init_local_path(self) -> None:
        Path(self.local_path).mkdir(parents=True, exist_ok=True)


@TRACKERS.register("mlflow")
def _mlflow(run: "Run") -> Tracker:
    """MLflow: at MLFLOW_TRACKING_URI, or in RUN/mlflow.db."""
    import os

    default = f"sqlite:///{run.directory.resolve() / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI", default)
    return RayCallback(
        run, "mlflow", tracking_uri=uri, experiment_name=run.directory.resolve().name
    )


@TRACKERS.register("wandb")
def _wandb(run: "Run") -> Tracker:
    """Weights & Biases: project WANDB_PROJECT, or the experiment's name."""
    import os

    from nas.execution.on_ray import start_ray

    # Its uploads run beside the trials; an engine without Ray has not started it.
    start_ray(run.experiment.execution.address, run.experiment.execution.dashboard)
    (run.directory / FOLDER).mkdir(exist_ok=True)
    project = os.environ.get("WANDB_PROJECT", run.experiment.name)
    return RayCallback(run, "wandb", project=project, group=run.directory.resolve().name)


def require_trackers(names: Sequence[str]) -> None:
    """Check that every tracker exists and is installed.

    Raises:
        UnknownName: No tracker has this name.
        NasError: Its package is not installed; the message says how to install it.
    """
    from importlib.util import find_spec

    for name in names:
        TRACKERS[name]
        if name in ("mlflow", "wandb") and find_spec(name) is None:
            raise NasError(
                f"The tracker {name!r} needs a package that is not installed. "
                f"Run: pip install 'encoder-nas[{name}]', or leave the tracker out."
            )


@contextmanager
def tracked(
    run: "Run", names: Sequence[str], watch: Callable[["Progress"], None] | None
) -> Iterator[Callable[["Progress"], None]]:
    """Yield `watch`, which tells TensorBoard and the trackers `names` of each ended trial, too."""
    trackers: dict[str, Tracker] = {}

    def guarded(name: str, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:  # a tracker's errors are its own; the search is worth more
            trackers.pop(name, None)
            _LOG.warning("The tracker %r failed and is left out from here on: %s", name, error)
            return None

    for name in dict.fromkeys(("tensorboard", *names)):
        made = guarded(name, lambda name=name: TRACKERS[name](run))
        if made is not None:
            trackers[name] = made

    def tell(progress: "Progress") -> None:
        latest = progress.latest
        if latest is not None and latest["status"] in ("done", "failed"):
            for name, tracker in list(trackers.items()):
                guarded(name, lambda t=tracker: t.log(latest, progress.best))
        if watch is not None:
            watch(progress)

    try:
        yield tell
    finally:
        for name, tracker in list(trackers.items()):
            guarded(name, tracker.close)
