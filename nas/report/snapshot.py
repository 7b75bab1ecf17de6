"""What a report reads of a run, once, so that every section shows the same moment."""

import time
from functools import cached_property
from typing import Any

import numpy as np

from nas.config import read_settings
from nas.evaluation.measured import values_of
from nas.report.columns import describe_column
from nas.runs.directory import Run
from nas.runs.endings import ENDINGS
from nas.runs.environment import read_environment
from nas.runs.status import run_status
from nas.runs.trust import named_code, require_trusted
from nas.single.beside import beside
from search_spaces import Architecture
from search_spaces.errors import RunError, quoted
from surrogates.objectives import sign_of


class Snapshot:
    """One moment of a run.

    Args:
        run: Opened; read here and not again.

    Attributes:
        records: Every trial as a dictionary, in the order they were asked.
        objectives: Column to direction; the first one is `score`.
        settings: The resolved experiment, as stored.
        environment: Versions and hardware, as stored.
        by_hand: What takes no search to find, of a search inside a checkpoint.

    Raises:
        RunError: The run has no finished trial, so there is nothing to report.
    """

    def __init__(self, run: Run):
        self.directory = run.directory
        self.made_at = time.time()
        self.records = run.journal.trials()
        self.objectives = run.objectives
        self.status = run_status(run)
        self.sessions = run.journal.sessions()
        self.settings = read_settings(run.directory / "experiment.yaml")
        self.environment = read_environment(run.directory)
        self.by_hand = beside(run) if self.settings.get("checkpoint") else []
        if not self.done:
            raise RunError(
                f"The run {str(run.directory)!r} has no finished trial, so there is nothing to "
                f"report yet ({_counted(self.status)}). Wait for one, continue the run with: "
                f"nas resume {quoted(run.directory)}, or see: nas trials {quoted(run.directory)}"
            )

    def require_trusted(self) -> None:
        """Check that the module of the run's space may be imported.

        Raises:
            RunError: Nobody said so.
        """
        named = named_code(self.space)
        require_trusted(self.directory, named, f"nas report {quoted(self.directory)}")

    @property
    def space(self) -> "str | dict[str, Any]":
        """The space of the run, as its experiment names or describes it."""
        found = self.settings.get("space", "flexibert-micro")
        return found if isinstance(found, dict) else str(found)

    @property
    def name(self) -> str:
        """What the run is called: the last part of its directory."""
        return self.directory.resolve().name

    @property
    def score(self) -> str:
        """The first objective, which decides what "best" means."""
        return next(iter(self.objectives))

    @property
    def sign(self) -> float:
        """1 when a larger `score` is better, otherwise -1."""
        return sign_of(self.objectives[self.score])

    @property
    def finished(self) -> bool:
        """Whether the search ended by a rule of its own, so that nothing is missing."""
        ending = ENDINGS.get(self.status["state"])
        return ending is not None and ending.complete

    @cached_property
    def architectures(self) -> list[Architecture]:
        """The architecture of every record."""
        return [Architecture.from_dict(record["architecture"]) for record in self.records]

    @cached_property
    def done(self) -> list[int]:
        """Positions of finished trials with a score, at the highest fidelity that finished."""
        ended = [
            i
            for i, record in enumerate(self.records)
            if record["status"] == "done" and self.value(i, self.score) is not None
        ]
        highest = max((self.records[i]["fidelity"] for i in ended), default=1.0)
        return [i for i in ended if self.records[i]["fidelity"] == highest]

    @cached_property
    def best(self) -> int:
        """Position of the trial that an export takes as the best: of the front, by `score`."""
        from nas.pareto.fronts import non_dominated_rows

        names = list(self.objectives)
        rows = {i: [self.value(i, name) for name in names] for i in self.done}
        complete = [i for i, row in rows.items() if None not in row]
        kept = non_dominated_rows([rows[i] for i in complete], list(self.objectives.values()))
        front = [complete[place] for place in kept] or self.done
        return max(front, key=lambda i: self.sign * self.value(i, self.score))

    @cached_property
    def own_tasks(self) -> list[str]:
        """Names of the user's own tasks that the run trained on."""
        recipe = self.settings.get("recipe")
        found = recipe.get("own_tasks") if isinstance(recipe, dict) else None
        return [str(name) for name in found] if isinstance(found, list) else []

    @cached_property
    def columns(self) -> dict[str, dict[str, Any]]:
        """Every number a trial reports: the objectives first, then scores, then costs."""
        scores = dict.fromkeys(name for r in self.records for name in r["scores"])
        costs = dict.fromkeys(name for r in self.records for name in r["costs"])
        names = dict.fromkeys((*self.objectives, *scores, *costs, "seconds"))
        return {
            name: describe_column(name, score=name in scores, direction=self.objectives.get(name))
            for name in names
        }

    def value(self, position: int, column: str) -> float | None:
        """Return a trial's score or cost, or None if it has none."""
        return values_of(self.records[position], seconds=True).get(column)

    def values(self, positions: list[int], column: str) -> np.ndarray:
        """Return a column of some trials, NaN where absent, `(n,)`."""
        found = [self.value(i, column) for i in positions]
        return np.array([np.nan if v is None else v for v in found], dtype=float)

    @staticmethod
    def spent(record: dict[str, Any]) -> float:
        """Return the worker-seconds a trial took, those of its lost attempts included."""
        return record.get("spent_seconds") or record["seconds"] or 0.0

    def in_order_of_end(self) -> list[int]:
        """Return `done` by the time each trial ended."""
        return sorted(self.done, key=lambda i: self.records[i]["finished_at"] or 0.0)

    def clock(self, at: float) -> float:
        """Return the seconds that drivers were at work on this run before the moment `at`."""
        if not self.sessions:
            return at - min(record["asked_at"] for record in self.records)
        return sum(max(0.0, min(at, seen) - begun) for begun, seen in self.sessions)


def _counted(status: dict[str, Any]) -> str:
    return ", ".join(f"{status[name]} {name}" for name in ("done", "running", "queued", "failed"))
