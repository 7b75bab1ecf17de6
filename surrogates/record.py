"""The record of a search as a policy sees it: what was asked, what came back, in order."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from statistics import median

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.objectives import Constraint, Objective

# Values beyond are told apart no more, nor those so close to zero: squares of what is kept, and
# volumes of several objectives, stay finite numbers.
LARGEST, SMALLEST = 1e50, 1e-50


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
        if cost is not None and not (finite(cost) is not None and cost >= 0):
            raise PolicyError(
                f"The cost {_shown(cost)} of {name} is no non-negative number of seconds."
            )
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
            number = finite(value)
            if number is None:
                raise PolicyError(
                    f"The result of {name} has {metric} = {_shown(value)}, which is no finite "
                    "number. Tell a failed trial with tell(architecture, error=...)."
                )
            kept[metric] = _bounded(number)
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

    def lifted(self) -> list[Trial]:
        """Trials told below the highest fidelity alone, as if at it, in order of first mention.

        Each has its highest result, plus the median of what others gained from that fidelity to
        the highest one; where none was told at both, results are taken to be alike.
        """
        highest = self.highest()
        below = [
            t
            for t in self.trials.values()
            if t.partial and not t.settled and highest not in t.partial
        ]
        gains = {f: self._gains(f, highest) for f in {max(t.partial) for t in below}}
        found = []
        for trial in below:
            at = max(trial.partial)
            values = {name: v + gains[at].get(name, 0.0) for name, v in trial.partial[at].items()}
            found.append(replace(trial, values=values))
        return found

    def _gains(self, below: float, highest: float) -> dict[str, float]:
        """Return by how much the median result of each metric is higher at `highest`."""
        differences: dict[str, list[float]] = {}
        for trial in self.trials.values():
            reached = trial.values if highest == 1 else trial.partial.get(highest)
            if reached is None or below not in trial.partial:
                continue
            for name, value in trial.partial[below].items():
                differences.setdefault(name, []).append(reached[name] - value)
        return {name: median(found) for name, found in differences.items()}

    def estimated(self) -> list[Trial]:
        """Every trial with any result, as if at the highest fidelity told, and every failed one.

        In order of first mention; results at a lower fidelity are `lifted`.
        """
        known = {t.architecture.hash: t for t in (*self.lifted(), *self.done(), *self.failed())}
        return [known[digest] for digest in self.trials if digest in known]

    def failed(self) -> list[Trial]:
        """Trials that ended in an error."""
        return [t for t in self.trials.values() if t.error is not None]

    def pending(self) -> list[Trial]:
        """Trials asked for and not yet told."""
        return [t for t in self.trials.values() if t.pending]


def finite(value: object) -> float | None:
    """Return `value` as a float; None if it is no number or none that a float can hold."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _bounded(number: float) -> float:
    return 0.0 if abs(number) < SMALLEST else max(-LARGEST, min(number, LARGEST))


def _shown(value: object) -> str:
    """Return how a message shows a value, whose digits may fill pages or be refused by Python."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:60]}…"


def believed(why: Mapping | None, what: str, metric: str) -> float | None:
    """Return what a proposal came with about one metric: its "mean", "epistemic" or "aleatoric".

    None where it says nothing of that metric alone: "boshnas-paper" doubts all of them as one.
    """
    found = (why or {}).get(what)
    return found.get(metric) if isinstance(found, Mapping) else None


def _check_fidelity(name: str, fidelity: object) -> None:
    number = isinstance(fidelity, Real) and not isinstance(fidelity, bool)
    if not number or not 0 < fidelity <= 1:
        raise PolicyError(
            f"The result of {name} has fidelity {fidelity!r}; give the share of the full budget it "
            "was trained with, above 0 and at most 1."
        )
