"""What every suite that only evaluates has: it scores an exported model by files of its own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from nas.single.exported import ExportedModel
from nas.training.recipe import Recipe
from nas.training.watch import StageCallback
from search_spaces.registry import Registry


@dataclass(frozen=True)
class Row:
    """One line of a suite's table.

    Attributes:
        name: Of a task, or of the suite itself in its first line.
        score: In [0, 1].
        items: How many were asked.
        interval: What holds the score with 95 % where the items are drawn anew; None unknown.
        clean: The score on unchanged texts; None where there is none, or it is not known.
    """

    name: str
    score: float
    items: int
    interval: tuple[float, float] | None = None
    clean: float | None = None


@dataclass(frozen=True)
class SuiteScores:
    """What a suite gave.

    Attributes:
        rows: The suite itself first.
        notes: Lines for people.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())


class EvaluationSuite(ABC):
    """A suite that a model is scored on, and never trained.

    Attributes:
        name: As `--suite` takes it.
        title: For people.
        needs: What `--data` is to name.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[str]

    @abstractmethod
    def score(
        self,
        model: ExportedModel,
        place: Path,
        recipe: Recipe,
        *,
        limit: int | None = None,
        seed: int = 0,
        progress: StageCallback | None = None,
    ) -> SuiteScores:
        """Return the scores of a model.

        Args:
            model: An exported folder.
            place: Where the suite's files are.
            recipe: How long sequences are, and on which device.
            limit: Items of each part at most; None takes all.
            seed: Of the interval, and of which items a limit leaves.
            progress: Called with each part and the share of it done.

        Raises:
            NasError: The files or the model cannot be used.
        """


SUITE_SCORERS: Registry[EvaluationSuite] = Registry(
    "suite", group="nas.suites", homes=("nas.single.suites",)
)
