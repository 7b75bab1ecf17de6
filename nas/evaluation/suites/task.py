"""The row of data that describes one task: where its columns are and how it is scored."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Task:
    """One task of a suite, as its official files have it.

    Attributes:
        name: Short lower-case name, as in an experiment file and a table of results.
        folder: Folder of the official layout.
        columns: The text columns that are classified: one sentence, or two.
        label: The label column.
        labels: Label texts in the order of their class numbers; empty for a regression.
        metrics: Names in `nas.evaluation.metrics.METRICS`; the task's score is their mean.
        header: Column names of files that have no header line; empty where they have one.
        train: File of the training split.
        dev: Name of each development split -> its file.
        test: Name of each unlabelled test split -> its file.
        label_range: Smallest and largest label of a regression.
        broken_rows: How many rows with too few columns the official files are known to hold;
            so many are skipped in the training file, one more is an error, and so is each of
            another file.
        source: Authors, title and venue of the task.
    """

    name: str
    folder: str
    columns: tuple[str, ...]
    label: str
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    source: str
    header: tuple[str, ...] = ()
    train: str = "train.tsv"
    dev: dict[str, str] = field(default_factory=lambda: {"dev": "dev.tsv"}, hash=False)
    test: dict[str, str] = field(default_factory=lambda: {"test": "test.tsv"}, hash=False)
    label_range: tuple[float, float] | None = None
    broken_rows: int = 0

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers instead of classes."""
        return not self.labels

    @property
    def is_pair(self) -> bool:
        """Whether an example has two sentences."""
        return len(self.columns) == 2

    @property
    def outputs(self) -> int:
        """Numbers a classification head gives: one per class, one for a regression."""
        return max(1, len(self.labels))
