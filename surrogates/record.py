"""The record of a search as a policy sees it: what was asked, what came back, in order."""

import math
from dataclasses import dataclass, field, replace
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
        partial: Fidelity, below 1, to the metrics told at it.
    """

    architecture: Architecture
    values: dict[str, float] | None = None
    error: str | None = None
    cost: float | None = None
    why: dict | None = None
    partial: dict[float, dict[str, float]] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether a result at full fidelity or a failure has been told."""
        return self.values is not None or self.error is not None

    @property
    def pending(self) -> bool:
        """Whether it was asked and nothing has been told, at any fidelity."""
        return not self.settled and not self.partial


@dataclass
class Record:
    """Every trial by architecture hash, in the order of first mention, and the events behind it.

    Replaying `events` rebuilds the record exactly, which is all a policy needs to continue.

    Attributes:
        turns: Hash and fidelity of each result, None for a failure, to its place in the order of
            telling.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    trials: dict[str, Trial] = field(default_factory=dict)
    events: list[dict] = field(default_factory=list)
    asked: int = 0
    turns: dict[tuple[str, float | None], int] = field(default_factory=dict)

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
        fidelity: float = 1.0,
    ) -> None:
        """Enter a result or a failure at `fidelity`, the share of the full budget that was used."""
        if not isinstance(architecture, Architecture):
            raise PolicyError(
                f"tell needs an Architecture, not {type(architecture).__name__}; "
                "use Architecture.from_dict."
            )
        name = f"architecture {architecture.short}"
        old = self.trials.get(architecture.hash)
        _check_fidelity(name, fidelity)
        if old is not None and (fidelity in old.partial if fidelity < 1 else old.settled):
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
        trial.cost = cost
        trial.error = None if error is None else str(error)
        if values is not None and fidelity < 1:
            trial.partial[float(fidelity)] = values
        else:
            trial.values = values
        event = {
            "tell": architecture.to_dict(), "values": values, "error": trial.error, "cost": cost
        }  # fmt: skip
        # absent at full fidelity, so that states without fidelities are what they always were
        self.events.append(event if fidelity == 1 else {**event, "fidelity": float(fidelity)})
        told_at = None if values is None else float(fidelity)
        self.turns[architecture.hash, told_at] = len(self.turns)

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
        """Trials with values at the highest fidelity told, in order of first mention.

        Before any result at full fidelity, those at the highest so far stand in for it.
        """
        highest = self.highest()
        if highest == 1:
            return [t for t in self.trials.values() if t.values is not None]
        return [
            replace(t, values=t.partial[highest])
            for t in self.trials.values()
            if highest in t.partial
        ]

    def highest(self) -> float:
        """Return the highest fidelity told with values; 1 before any."""
        partial = [f for t in self.trials.values() for f in t.partial]
        full = any(t.values is not None for t in self.trials.values())
        return max(partial) if partial and not full else 1.0

    def lower(self) -> list[tuple[Architecture, float, dict[str, float]]]:
        """Results below the highest fidelity told, in order of first mention."""
        highest = self.highest()
        return [
            (t.architecture, f, values)
            for t in self.trials.values()
            for f, values in t.partial.items()
            if f < highest
        ]

    def failed(self) -> list[Trial]:
        """Trials that ended in an error."""
        return [t for t in self.trials.values() if t.error is not None]

    def pending(self) -> list[Trial]:
        """Trials asked for and not yet told."""
        return [t for t in self.trials.values() if t.pending]


def _check_fidelity(name: str, fidelity: object) -> None:
    number = isinstance(fidelity, Real) and not isinstance(fidelity, bool)
    if not number or not 0 < fidelity <= 1:
        raise PolicyError(
            f"The result of {name} has fidelity {fidelity!r}; give the share of the full budget it "
            "was trained with, above 0 and at most 1."
        )
