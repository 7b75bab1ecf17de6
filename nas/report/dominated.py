"""How much of what can be had several objectives dominate together, while trials come in.

Source: Zitzler and Thiele, "Multiobjective evolutionary algorithms: a comparative case study and
the strength Pareto approach", IEEE Transactions on Evolutionary Computation, 1999.
"""

from dataclasses import dataclass

import numpy as np

from surrogates.domination.running import Front
from surrogates.domination.volume import volume_above


@dataclass(frozen=True)
class Box:
    """What a hypervolume is a share of: the worst to the best of each objective, larger better.

    Attributes:
        low: The worst values, `(objectives,)`.
        high: The best values, `(objectives,)`.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Box":
        """Return the box around the rows of `(trials, objectives)`."""
        return cls(values.min(axis=0), values.max(axis=0))

    @property
    def size(self) -> float:
        """Its volume; 0 where the trials are alike in an objective."""
        return float(np.prod(self.high - self.low))

    def shares(self, values: np.ndarray) -> np.ndarray:
        """Return the share that the rows so far dominate, `(trials,)`; above 1 beyond the box."""
        front, shares, share = Front(), np.zeros(len(values)), 0.0
        for row, value in enumerate(values):
            if front.add(value.tolist()):
                share = volume_above(np.array(front.rows), self.low) / self.size
            shares[row] = share
        return shares
