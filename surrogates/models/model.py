"""What a surrogate model is: fitted on a few results, it expects a value and doubts it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_spaces import Architecture


@dataclass(frozen=True)
class Belief:
    """A model's belief about some architectures, in units of its targets.

    Attributes:
        mean: Expected target, `(n,)`.
        epistemic: Standard deviation that more results would reduce, `(n,)`.
        aleatoric: Standard deviation between repeated trainings, `(n,)`.
    """

    mean: np.ndarray
    epistemic: np.ndarray
    aleatoric: np.ndarray


class Model(ABC):
    """Learns targets, larger is better and roughly standard normal, from architectures.

    Attributes:
        learns_fidelities: Whether `fit` takes `fidelities`, `(n,)`; a model that does not is
            shown results at lower ones as if at the highest; see `Record.lifted`.
        learns_from_few: Whether it can `learn` its hyper-parameters from some results and
            `condition` on others, which bounds the work where there are many.
    """

    learns_fidelities = False
    learns_from_few = False

    @abstractmethod
    def fit(
        self, architectures: Sequence[Architecture], targets: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Fit from scratch; `rng` is the only source of chance.

        Args:
            architectures: At least one.
            targets: `(n,)`.
            rng: For initial weights, dropout, resampling.
        """

    @abstractmethod
    def believe(self, architectures: Sequence[Architecture]) -> Belief:
        """Predict `architectures`."""

    def follow(self, rng: np.random.Generator | None) -> None:
        """Believe one of several parts alone, drawn by `rng`; with None, the whole again.

        A model of one part has nothing to draw.
        """
        del rng

    def covariance(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the joint epistemic covariance, `(n, n)`; a diagonal where none is known."""
        return np.diag(self.believe(architectures).epistemic ** 2)

    @abstractmethod
    def assume(self, architectures: Sequence[Architecture], targets: np.ndarray) -> None:
        """Add assumed results of pending architectures, without fitting hyper-parameters again."""
