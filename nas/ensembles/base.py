"""What every ensemble is: what members say of examples, and one answer made of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from search_spaces.registry import Registry

# name of a kind -> what makes an ensemble that is not fitted yet
ENSEMBLES: Registry[Callable[[], "Ensemble"]] = Registry("kind of ensemble", group="nas.ensembles")


@dataclass(frozen=True)
class Answers:
    """What some members say of some examples of one task.

    Attributes:
        probabilities: How sure each is of each class, `(members, n, classes)`; of a number the
            number itself, `(members, n, 1)`.
        vectors: What each made of each example, side by side, `(n, all widths)`.
        knowledge: What is known of the words of each example, `(n, features)`; there may be no
            features.
    """

    probabilities: np.ndarray
    vectors: np.ndarray
    knowledge: np.ndarray

    def __len__(self) -> int:
        return self.probabilities.shape[1]

    @property
    def numbers(self) -> bool:
        """Whether answers are numbers instead of classes."""
        return self.probabilities.shape[2] == 1

    def at(self, rows: np.ndarray) -> "Answers":
        """Return what is said of the examples at `rows`."""
        return Answers(self.probabilities[:, rows], self.vectors[rows], self.knowledge[rows])


class Ensemble(ABC):
    """Makes one answer of those of several members; fitted on labelled examples.

    It must be fitted on examples that it is not scored on, and that no member was trained on.
    """

    @abstractmethod
    def fit(self, answers: Answers, labels: np.ndarray, *, seed: int) -> None:
        """Learn from examples.

        Args:
            answers: Of the members.
            labels: Class numbers, or numbers, `(n,)`.
            seed: Decides everything drawn.
        """

    @abstractmethod
    def combine(self, answers: Answers) -> np.ndarray:
        """Return how sure the ensemble is of each class, `(n, classes)`; a number, `(n, 1)`."""

    def shares(self, answers: Answers) -> np.ndarray | None:
        """Return each member's mean share in the answers, `(members,)`; None if it has none."""
        return None


def of_right_class(answers: Answers, labels: np.ndarray) -> np.ndarray:
    """Return how sure each member is of the right class, `(members, n)`."""
    return answers.probabilities[:, np.arange(len(labels)), labels.astype(int)]


class Standard:
    """Columns with mean 0 and standard deviation 1 over the examples that were fitted.

    Args:
        rows: Of these examples, `(n, columns)`.
    """

    def __init__(self, rows: np.ndarray):
        self.mean, spread = rows.mean(0), rows.std(0)
        self.spread = np.where(spread > 1e-9, spread, 1.0)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return rows `(n, columns)` on that scale."""
        return (rows - self.mean) / self.spread
