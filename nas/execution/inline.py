"""One trial after another in this process: for tests, debugging, and profiling."""

from collections import deque
from typing import TYPE_CHECKING

from nas.execution.executor import Executor, Job, Outcome
from nas.execution.perform import perform

if TYPE_CHECKING:
    from nas.config import Execution
    from nas.data.prepared import PreparedData
    from nas.training.recipe import Recipe


class InlineExecutor(Executor):
    """Runs a job when `wait` is called."""

    def __init__(self, settings: "Execution", recipe: "Recipe", data: "PreparedData | None"):
        self.capacity = 1
        self.where = "this process, one trial at a time"
        self._recipe, self._data = recipe, data
        self._function = settings.trial_function
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[Outcome]:
        if not self._jobs:
            return []
        job = self._jobs.popleft()
        return [perform(job, self._recipe, self._data, function=self._function)]

    def close(self) -> None:
        self._jobs.clear()
