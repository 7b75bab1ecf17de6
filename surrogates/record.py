"""The record of a search as a policy sees it: what was asked, what came back, in order."""

import math
from dataclasses import dataclass, field
from numbers import Real

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.objectives import Constraint, Objective


@dataclass
class Trial:
    """One architecture the policy has asked for or was told about.

    Attributes:
        architecture: What is built and trained.
        values: The told metrics in their own units; None while pending and after a failure.
        error: Why it failed, or None.
        cost: What the evaluation cost, in seconds, or None if not told.
        why: What the policy predicted when it asked; None for results it did not ask for.
    """

    architecture: Architecture
    values: dict[str, float] | None = None
    error: str | None = None
    cost: float | None = None
    why: dict | None = None

    @property
    def pending(self) -> bool:
        """Whether it was asked and no result or failure has been told."""
        return self.values is None and self.error is None


@dataclass
class Record:
    """Every trial by architecture hash, in the order of first mention, and the events behind it.

    Replaying `events` rebuilds the record exactly, which is all a policy needs to continue.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    trials: dict[str, Trial] = field(default_factory=dict)
    events: list[dict] = field(default_factory=list)
    asked: int = 0

    def ask(self, architecture: Architecture, why: dict | None) -> None:
        """Enter `architecture` as pending."""
        if architecture.hash in self.trials:
            raise PolicyError(
                f"Architecture {architecture.short} was asked or told before; a policy proposes "
                "each architecture once."
            )
        self.trials[architecture.hash] = Trial(architecture, why=why)
        self.events.append({"ask": architecture.to_dict(), "why": why})
        self.asked += 1

    def tell(
        self,
        architecture: Architecture,
        values: dict | None,
        error: str | None,
        cost: float | None,
    ) -> None:
        """Enter a result or a failure."""
        if not isinstance(architecture, Architecture):
            raise PolicyError(
                f"tell needs an Architecture, not {type(architecture).__name__}; "
                "use Architecture.from_dict."
            )
        name = f"architecture {architecture.short}"
        old = self.trials.get(architecture.hash)
        if old is not None and not old.pending:
            raise PolicyError(
                f"A result for {name} was told before; results cannot be told twice. "
                "Average repeated trainings before telling them."
            )
        if (values is None) == (error is None):
            given = "neither" if values is None else "both"
            raise PolicyError(f"tell of {name} got {given} values and error; give exactly one.")
        if values is not None:
            values = self._checked(name, values)
        if cost is not None and not (math.isfinite(cost) and cost >= 0):
            raise PolicyError(f"The cost {cost!r} of {name} is no non-negative number of seconds.")
        trial = self.trials.setdefault(architecture.hash, Trial(architecture))
        trial.values, trial.cost = values, cost
        trial.error = None if error is None else str(error)
        self.events.append(
            {"tell": architecture.to_dict(), "values": values, "error": trial.error, "cost": cost}
        )

    def _checked(self, name: str, values: dict) -> dict[str, float]:
        """Keep the numbers that objectives and constraints need; refuse what cannot be used."""
        needed = [o.name for o in self.objectives if not o.exact]
        needed += [c.metric for c in self.constraints if not c.exact and c.metric not in needed]
        kept = {}
        for metric in needed:
            if metric not in values:
                raise PolicyError(
                    f"The result of {name} lacks {metric!r}; it has "
                    f"{', '.join(sorted(values)) or 'nothing'}. Tell every objective and "
                    "constrained metric, or tell(architecture, error=...)."
                )
            value = values[metric]
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                raise PolicyError(
                    f"The result of {name} has {metric} = {value!r}, which is no finite number. "
                    "Tell a failed trial with tell(architecture, error=...)."
                )
            kept[metric] = float(value)
        return kept

    def done(self) -> list[Trial]:
        """Trials with values, in order of first mention."""
        return [t for t in self.trials.values() if t.values is not None]

    def failed(self) -> list[Trial]:
        """Trials that ended in an error."""
        return [t for t in self.trials.values() if t.error is not None]

    def pending(self) -> list[Trial]:
        """Trials asked for and not yet told."""
        return [t for t in self.trials.values() if t.pending]
