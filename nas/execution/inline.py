"""One trial after another in this process: for tests, debugging, and profiling."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nas.execution.jobs import Executor, Job, Outcome
from nas.execution.perform import perform

if TYPE_CHECKING:
    from nas.config import Execution
    from nas.data.prepared import PreparedData
    from nas.runs.storage import Storage
    from nas.training.recipe import Recipe


class InlineExecutor(Executor):
    """Runs a job when `wait` is called."""

    def __init__(
        self,
        settings: "Execution",
        recipe: "Recipe",
        data: "PreparedData | None",
        storage: "Storage | None" = None,
        memory_mb: Callable[[], float] | None = None,
    ):
        self.capacity = 1
        self.where = "this process, one trial at a time"
        self._recipe, self._data = recipe, data
        self._options: dict[str, Any] = {
            "function": settings.trial_function,
            "storage": storage,
            "checkpoint_seconds": settings.checkpoint_seconds,
        }
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[Outcome]:
        if not self._jobs:
            return []
        job = self._jobs.popleft()
        return [perform(job, self._recipe, self._data, **self._options)]

    def close(self) -> None:
        self._jobs.clear()
