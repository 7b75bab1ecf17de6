"""Every result of a search at once, as arrays: values, failures and broken constraints.

Results at a lower fidelity stand among those at the highest, raised by what others gained between
the two (`Record.lifted`): this is how policies learn from partial results that know no fidelities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from search_spaces import Architecture
from surrogates.record import Trial

if TYPE_CHECKING:
    from surrogates.policy import Policy


@dataclass(frozen=True)
class Results:
    """Told trials in order of first mention, failed and partly trained ones among them.

    Attributes:
        architectures: What was evaluated, n of them.
        values: Larger is better, `(n, objectives)`; a failure has the worst value told.
        violations: By how much measured constraints are broken, relative to their bounds, `(n,)`;
            0 where they are kept, infinite for a failure.
    """

    architectures: Sequence[Architecture]
    values: np.ndarray
    violations: np.ndarray

    @classmethod
    def of(cls, policy: "Policy") -> "Results":
        """Read the results `policy` was told."""
        told = policy.estimated()
        values = np.array([_values(policy, t) for t in told])
        values = values.reshape(len(told), len(policy.objectives))
        failed = np.isnan(values).any(axis=1)
        if failed.any():
            done = values[~failed]
            values[failed] = done.min(axis=0) if len(done) else 0.0
        violations = np.array([_violation(policy, t) for t in told])
        return cls([t.architecture for t in told], values, violations)

    def __len__(self) -> int:
        return len(self.architectures)

    def scaled(self) -> np.ndarray:
        """Return the place of every value in the range told, 0 to 1, `(n, objectives)`.

        Failures and broken constraints have 0.
        """
        if not len(self):
            return self.values
        low, high = self.values.min(axis=0), self.values.max(axis=0)
        scaled = (self.values - low) / np.where(high > low, high - low, 1.0)
        return np.where(self.violations[:, None] > 0, 0.0, scaled)


def _values(policy: "Policy", trial: Trial) -> list[float]:
    if trial.values is None:
        return [np.nan] * len(policy.objectives)
    exact, told = policy.exact, trial.values
    return [
        o.sign * (exact(o.name, trial.architecture) if o.exact else told[o.name])
        for o in policy.objectives
    ]


def _violation(policy: "Policy", trial: Trial) -> float:
    if trial.values is None:
        return np.inf
    total = 0.0
    for constraint in policy.constraints:
        if not constraint.exact:
            over = constraint.sign * (trial.values[constraint.metric] - constraint.bound)
            total += max(over, 0.0) / max(abs(constraint.bound), 1e-12)
    return total
