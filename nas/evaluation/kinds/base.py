"""What every kind of task has: how its labels are learned, what its answers are, how it is scored.

A kind is one file here and one line of the index. Nothing of this imports torch before it is used.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from nas.evaluation.mistakes import Mistakes
from search_spaces.errors import InvalidData
from search_spaces.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from nas.evaluation.suites.task import Task


class Scaled(Protocol):
    """What turns the outputs of a regression into labels."""

    mean: float
    deviation: float


class Passages(Protocol):
    """Texts that questions are asked about, as `nas.data.passages` has them."""

    questions: np.ndarray
    places: np.ndarray
    answers: Sequence[Sequence[str]]

    def context_of(self, question: int) -> str:
        """Return the text that a question is asked about."""


class Examples(Protocol):
    """The examples of a split, as `nas.data.encoding.EncodedSplit` has them."""

    tokens: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    passages: Passages | None
    excerpts: Sequence[str]


class TaskKind(ABC):
    """One kind of task.

    Attributes:
        name: As experiment files write it.
        title: For people.
        metrics: What counts where nobody says; the score is their mean.
        allowed: Every metric that can be asked for.
        reads_tokens: Whether the head gives outputs for each token, not for the whole text.
        reads_passages: Whether an example is a question about a text that is read in windows.
        problem_type: What `transformers` calls it in a configuration; None where it has no word.
        pipeline: What the hub calls it; `transformers` has a pipeline of that name of most.
        auto: The class of `transformers` that loads such a model.
        use: A line of Python that says how it answers, with room for "pipeline" and the first task.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    allowed: ClassVar[tuple[str, ...]]
    problem_type: ClassVar[str | None] = None
    reads_tokens: ClassVar[bool] = False
    reads_passages: ClassVar[bool] = False
    pipeline: ClassVar[str] = "text-classification"
    auto: ClassVar[str] = "AutoModelForSequenceClassification"
    use: ClassVar[str] = (
        'classify = pipeline("{pipeline}", model=FOLDER, trust_remote_code=True)  # {first}'
    )

    @abstractmethod
    def outputs(self, task: "Task") -> int:
        """Return how many numbers the head gives."""

    @abstractmethod
    def loss(self, outputs: "Tensor", labels: "Tensor", scale: Scaled) -> "Tensor":
        """Return the mean loss of a batch.

        Args:
            outputs: Of the head, `(batch, outputs)` float32; of each token, `(batch, length,
                outputs)`.
            labels: As the encoded data has them, float32.
            scale: Of a regression.
        """

    @abstractmethod
    def soft_loss(self, student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
        """Return how far outputs are from a teacher's, a scalar."""

    @abstractmethod
    def answers(self, outputs: "Tensor", scale: Scaled) -> "Tensor":
        """Return what the outputs say, in the form of labels; NaN where an output is none."""

    def probabilities(self, outputs: "Tensor") -> "Tensor | None":
        """Return how sure each possible answer is, `(batch, outputs)`; None for a number."""
        return None

    @abstractmethod
    def constant(self, labels: np.ndarray) -> np.ndarray | float:
        """Return the one answer that is best without reading, in the form of one label."""

    def of_examples(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the answers to a split's examples, and how sure they are.

        Args:
            task: What is asked.
            split: The examples.
            answers: As `answers` gave them, of each example or token.
            sure: As `probabilities` gave it.
        """
        return answers, sure

    def right(self, split: Examples) -> np.ndarray:
        """Return what is right of a split's examples, beside which answers are held."""
        return np.asarray(split.labels)

    def mistakes(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray | None
    ) -> Mistakes | None:
        """Return where answers are wrong; None of a kind that does not say so.

        Args:
            task: What is asked.
            split: The examples, at least one.
            answers: As `of_examples` gave them.
            sure: The same.
        """
        return None

    def without_reading(self, train: Examples, split: Examples) -> np.ndarray:
        """Return the answers to a split that are best in training if nothing is read."""
        right = self.right(split)
        return np.broadcast_to(self.constant(self.right(train)), right.shape)

    def check(self, task: "Task") -> None:
        """Check that a task that comes from a file can be of this kind.

        Raises:
            InvalidData: It cannot.
        """
        wrong = [name for name in task.metrics if name not in self.allowed]
        if wrong:
            raise InvalidData(
                f"The metric {wrong[0]!r} does not go with {self.title}. "
                f"Allowed: {', '.join(self.allowed)}."
            )

    def check_labels(self, task: "Task", labels: np.ndarray) -> str | None:
        """Return what is wrong with labels that come from a file; None where nothing is."""
        return None

    def for_metric(
        self, metric: str, task: "Task", predictions: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return answers and labels as a metric reads them."""
        return predictions, labels

    def sure_texts(self, answers: np.ndarray, sure: np.ndarray) -> Sequence[str]:
        """Return how sure each answer is, as people write it."""
        return [f"{value:.4f}" for value in sure.max(1)]

    def texts(self, task: "Task", answers: np.ndarray) -> Sequence[str]:
        """Return answers as people write them."""
        return [f"{value:.6g}" for value in answers]


def excerpt(split: Examples, place: int) -> str:
    """Return the beginning of the text of an example; "" where it was not kept."""
    return split.excerpts[place] if split.excerpts else ""


TASK_KINDS: Registry[TaskKind] = Registry(
    "kind of task", group="nas.task_kinds", homes=("nas.evaluation.kinds",)
)
