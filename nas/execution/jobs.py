"""What every engine is: it takes jobs and hands back outcomes, in any order."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from search_spaces.errors import NasError
from search_spaces.registry import Registry

if TYPE_CHECKING:
    from nas.config import Execution
    from nas.data.prepared import PreparedData
    from nas.runs.storage import Storage
    from nas.training.recipe import Recipe

# Why a trial ended without a result. The last three are no fault of the trial: "lost" is a worker
# or a node that vanished, "preempted" a node that its owner took back, "no-space" a full disk.
CAUSES = ("nan", "out-of-memory", "time-out", "error", "lost", "preempted", "no-space")
BLAMELESS = ("lost", "preempted", "no-space")


@dataclass(frozen=True)
class Job:
    """One trial to run.

    Attributes:
        trial: Its number in the record.
        architecture: The architecture as a dictionary.
        seed: Seed of everything random in the trial.
        timeout: Seconds after which it counts as failed.
        fidelity: Share of the recipe's pre-training to do, in (0, 1].
        attempt: 1 for the first, more for a retry.
        inherit: The parent whose weights it starts from, {"hash", "architecture"}, or None.
        learning_rate_scale: Multiplies the recipe's rates; below 1 for a retry after NaN.
        micro_batches: Parts of each step's batch; above 1 for a retry after out-of-memory.
        alone: Share the device with no other trial, whatever was predicted.
        memory_mb: What it is predicted to need, in 10^6 bytes; None if nobody knows.
        tokens: Pre-training budget of an architecture that chose of its recipe, where an earlier
            trial had one; None has it measured.
        tasks: What to fine-tune, fewer than the recipe's at a low fidelity; None is the recipe's.
    """

    trial: int
    architecture: dict[str, Any]
    seed: int
    timeout: float
    fidelity: float = 1.0
    attempt: int = 1
    inherit: dict[str, Any] | None = None
    learning_rate_scale: float = 1.0
    micro_batches: int = 1
    alone: bool = False
    memory_mb: float | None = None
    tasks: tuple[str, ...] | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How one trial ended. `cause` is None for a finished trial.

    Attributes:
        trial: Its number in the record.
        scores: Task to score, "glue" among them.
        costs: Cost to value, units in the names.
        details: Losses and the single metrics behind the scores.
        seconds: Wall-clock time of the trial.
        weights: The pre-trained weights as the bytes of a safetensors file; None if the worker
            put them into the storage.
        mistakes: Where the answers to the user's own tasks are wrong; see `nas.runs.mistakes`.
        cause: One of `CAUSES`.
        error: One line for people.
        traceback: The rest of the story, if there is one.
        node: Name of the machine.
        device: "cpu" or the GPU's name.
        logs: The last lines that the trial printed or logged.
        node_answers: Whether the node of a lost worker ran something else right afterwards, so that
            the trial took the worker along, unless somebody killed it.
    """

    trial: int
    scores: dict[str, float] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    weights: bytes | None = None
    mistakes: dict[str, dict[str, Any]] = field(default_factory=dict)
    cause: str | None = None
    error: str | None = None
    traceback: str | None = None
    node: str | None = None
    device: str | None = None
    logs: str = ""
    node_answers: bool = False


class EngineGone(NasError):
    """What runs the trials is gone, and with it every trial in flight."""


class Executor(ABC):
    """Runs jobs.

    Attributes:
        capacity: How many jobs can run at once; changes when nodes join a cluster or leave it.
        where: One line saying what it runs on.
    """

    capacity: int
    where: str

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Start `job`, or queue it until a place is free."""

    @abstractmethod
    def wait(self, seconds: float) -> list[Outcome]:
        """Return the outcomes that arrived, after at most `seconds`; possibly none.

        Raises:
            EngineGone: Nothing will arrive any more.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop everything that still runs and give the resources back."""


# name -> module and class: an engine's libraries are imported only when it is chosen.
EXECUTORS: Registry[tuple[str, str]] = Registry("engine", group="nas.execution")
EXECUTORS.register("ray")(("nas.execution.on_ray", "RayExecutor"))
EXECUTORS.register("inline")(("nas.execution.inline", "InlineExecutor"))


def make_executor(
    settings: "Execution",
    recipe: "Recipe",
    data: "PreparedData | None",
    storage: "Storage | None" = None,
    memory_mb: Callable[[], float] | None = None,
) -> Executor:
    """Return the engine that `settings` name, ready to take jobs.

    Args:
        settings: Where and how trials run.
        recipe: How they are trained.
        data: What they are trained on; None for a function that needs none.
        storage: Where weights and checkpoints are kept; None sends the weights back and keeps no
            checkpoint.
        memory_mb: Says what the largest trials will need, in 10^6 bytes, so that others can share
            a GPU with them; None gives each trial a GPU of its own, where there are any.
    """
    module, name = EXECUTORS[settings.engine]
    build: Callable[..., Executor] = getattr(import_module(module), name)
    return build(settings, recipe, data, storage, memory_mb)


def trial_seed(seed: int, digest: str) -> int:
    """Return a trial's seed: the same on whatever worker, in whatever order, at any fidelity.

    A promoted trial goes on as if it had never paused, so that its result is that of a search
    which trained it to the end at once.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{digest}/1".encode()).digest()[:4], "big")
