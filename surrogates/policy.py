"""The one interface between a search loop and anything that proposes architectures."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib import import_module
from numbers import Integral, Real
from typing import TYPE_CHECKING, ClassVar

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.costs import exact_value
from surrogates.objectives import parse_constraints, parse_objectives
from surrogates.promotion import check_fidelities, next_fidelity
from surrogates.record import Record, Trial

if TYPE_CHECKING:
    import numpy as np

VERSION = 1  # of the state written by `state_dict`
# what an option with a default of such a type may be
KINDS = {
    bool: (bool, "true or false"),
    str: (str, "a name"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
}


@dataclass(frozen=True)
class Options:
    """Settings every policy has; a policy with settings of its own extends this class.

    Attributes:
        vocabulary_size: For the exact objectives "parameters" and "flops".
        max_length: Tokens the position table holds, for "parameters".
        length: Tokens of the sequence "flops" are counted for.
        positions: "absolute" or "relative", for both.
        fidelities: Shares of the full budget a trial may use, ascending, the last one 1; see
            `Policy.fidelity`.
    """

    vocabulary_size: int = 30_522
    max_length: int = 128
    length: int = 128
    positions: str = "absolute"
    fidelities: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Prediction:
    """What a policy expects of some architectures, in the objective's own units.

    Attributes:
        mean: Expected value, `(n,)`.
        epistemic: Standard deviation that more results would reduce, `(n,)`.
        aleatoric: Standard deviation between repeated trainings, `(n,)`.
    """

    mean: "np.ndarray"
    epistemic: "np.ndarray"
    aleatoric: "np.ndarray"


class Policy(ABC):
    """Proposes architectures with `ask`, learns from results with `tell`.

    `ask` may be called again before earlier proposals are told (parallel workers). No
    architecture is proposed twice, nor one that was told, up to isomorphism. Results that were
    not asked for are welcome, of architectures outside the space too: they teach, but are never
    proposed. Proposals depend on nothing but name, space, objectives, constraints, seed, options
    and the ordered events, so `restore` continues a search without fitting anything.

    Args:
        name: The registered name; written into the state.
        space: Where proposals come from.
        objectives: Name to "max" or "min".
        seed: Non-negative.
        constraints: Strings or `Constraint`; those on "parameters" and "flops" are never violated.
        options: Values for fields of `Options`.
    """

    Options: ClassVar[type[Options]] = Options

    def __init__(self, name, space, objectives, seed, constraints, options):
        if not isinstance(seed, int) or seed < 0:
            raise PolicyError(f"The seed {seed!r} is not allowed; give a non-negative integer.")
        self.name, self.space, self.seed = name, space, seed
        self.objectives = parse_objectives(objectives)
        self.constraints = parse_constraints(constraints)
        self.options = self._read_options(options)
        check_fidelities(self.options.fidelities)
        self._record = Record(self.objectives, self.constraints)

    def _read_options(self, options: dict) -> Options:
        defaults = {f.name: f.default for f in fields(self.Options)}
        known = list(defaults)
        for key, value in options.items():
            if key not in known:
                close = get_close_matches(str(key), known, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise PolicyError(
                    f"Policy {self.name!r} has no option {key!r}.{hint} Options: "
                    f"{', '.join(sorted(known))}."
                )
            _check_kind(key, value, defaults[key])
        return self.Options(**options)

    @abstractmethod
    def _propose(self, n: int, rng: "np.random.Generator") -> list[tuple[Architecture, dict]]:
        """Choose up to `n` distinct unseen architectures, each with what `explain` will return.

        `rng` is the only source of chance, and everything else is read from the record, so
        subclasses keep no state that `restore` would have to rebuild.
        """

    def ask(self, n: int = 1) -> list[Architecture]:
        """Propose up to `n` new architectures; fewer only when the space is exhausted.

        Raises:
            PolicyError: `n` is no positive integer.
        """
        import numpy as np

        if not isinstance(n, int) or n < 1:
            raise PolicyError(f"ask was given n = {n!r}; ask for one architecture or more.")
        known = self._begun_with()[:n]
        for architecture in known:
            self._record.ask(architecture, {"reason": "initial"})
        if len(known) == n:
            return known
        rng = np.random.default_rng([self.seed, self._record.asked])
        proposals = self._propose(n - len(known), rng)
        for architecture, why in proposals:
            self._record.ask(architecture, why)
        return known + [architecture for architecture, _ in proposals]

    def _begun_with(self) -> list[Architecture]:
        """Return what the space says to begin with and was neither asked nor told."""
        seen = self.seen()
        first = getattr(self.space, "first", ())
        return [a for a in first if a.hash not in seen and self.allowed(a)]

    def tell(
        self,
        architecture: Architecture,
        values: dict[str, float] | None = None,
        *,
        error: str | None = None,
        cost: float | None = None,
        fidelity: float = 1.0,
    ) -> None:
        """Learn one result, or one failure.

        The same architecture may be told at several fidelities, each once, in any order.

        Args:
            architecture: What was evaluated; it need not have been asked for, nor lie in the space:
                what a search of another space found is learned, and never proposed.
            values: Metrics in their own units; keys that are no objective are ignored, and so
                are "parameters" and "flops", which are computed.
            error: Instead of `values`: why the trial failed.
            cost: Seconds the trial took.
            fidelity: Share of the full budget, such as training tokens, behind the result.

        Raises:
            PolicyError: A result told twice, an objective missing or not finite, both or neither
                of values and error, or a fidelity that is no share.
        """
        self._record.tell(architecture, values, error, cost, fidelity)

    def fidelity(self, architecture: Architecture) -> float | None:
        """Return at which fidelity `architecture` should be trained next; None if at none.

        The first of the option `fidelities`, or a higher one where a model is sure enough of it,
        then the next as long as its results are among the best at the one before (see
        `surrogates.promotion`). With several objectives the first decides.
        """
        return next_fidelity(
            self.options.fidelities, self._record, architecture, self.objectives[0]
        )

    def predict(self, architectures: list[Architecture]) -> dict[str, Prediction]:
        """Predict every objective of `architectures`.

        Raises:
            PolicyError: This policy has no model, or has been told nothing yet.
        """
        raise PolicyError(f"Policy {self.name!r} has no model to predict with; try 'boshnas'.")

    def explain(self, architecture: Architecture) -> dict | None:
        """Return why `architecture` was asked for, or None if it was not.

        Keys: "reason" ("initial", "optimise", "uncertainty", "diversity"), and where the policy
        has a model also "mean", "epistemic" and "aleatoric" (by objective) and "acquisition".
        """
        trial = self._record.trials.get(architecture.hash)
        return None if trial is None else trial.why

    def seen(self) -> set[str]:
        """Return the hashes of everything asked or told: what must not be proposed again."""
        return set(self._record.trials)

    def allowed(self, architecture: Architecture) -> bool:
        """Whether the exact constraints, on parameters and FLOPs, permit `architecture`."""
        return all(
            c.allows(self.exact(c.metric, architecture)) for c in self.constraints if c.exact
        )

    def pending(self) -> list[Architecture]:
        """Return what was asked for and not yet told, in order."""
        return [t.architecture for t in self._record.pending()]

    def trials(self) -> list[Trial]:
        """Return everything asked or told, in order of first mention."""
        return list(self._record.trials.values())

    def estimated(self) -> list[Trial]:
        """Return every told trial, partial results as if at the highest fidelity told."""
        return self._record.estimated()

    def exact(self, metric: str, architecture: Architecture) -> float:
        """Compute "parameters" or "flops" of `architecture`."""
        return exact_value(metric, architecture, self.options)

    def state_dict(self) -> dict:
        """Return everything needed to continue, as plain JSON types."""
        return {
            "version": VERSION,
            "policy": self.name,
            "seed": self.seed,
            "objectives": {o.name: "max" if o.sign > 0 else "min" for o in self.objectives},
            "events": list(self._record.events),
        }

    def load_state_dict(self, state: dict) -> None:
        """Continue from `state`: the next `ask` answers what the saved policy's would have.

        Raises:
            PolicyError: The state is of another version, policy, seed or set of objectives.
        """
        own = self.state_dict()
        for key in ("version", "policy", "seed", "objectives"):
            if not isinstance(state, dict) or state.get(key) != own[key]:
                given = state.get(key) if isinstance(state, dict) else state
                raise PolicyError(
                    f"This state cannot be loaded: its {key} is {given!r}, this policy's is "
                    f"{own[key]!r}. Build the policy the state was saved from."
                )
        self.restore(state["events"])

    def restore(self, events: Iterable[dict]) -> None:
        """Replace the record by `events`, in order, without fitting anything.

        Args:
            events: As in `state_dict()["events"]`: `{"ask": architecture, "why": ...}` and
                `{"tell": architecture, "values": ..., "error": ..., "cost": ...,
                "fidelity": ...}`; an architecture may be an `Architecture` or its dictionary,
                and all keys but the first may be left out.

        Raises:
            PolicyError: An event is neither, or `tell` would have refused it.
        """
        record = Record(self.objectives, self.constraints)
        for event in events:
            if "ask" in event:
                record.ask(_architecture(event["ask"]), event.get("why"))
            elif "tell" in event:
                arch = _architecture(event["tell"])
                record.tell(
                    arch, event.get("values"), event.get("error"), event.get("cost"),
                    event.get("fidelity", 1.0),
                )  # fmt: skip
            else:
                raise PolicyError(
                    f"An event has the keys {', '.join(sorted(event))}; it needs 'ask' or 'tell'."
                )
        self._record = record


def _architecture(given: Architecture | dict) -> Architecture:
    return given if isinstance(given, Architecture) else Architecture.from_dict(given)


def build(entry, name, space, objectives, seed, constraints, options) -> Policy:
    """Build a registered policy; `entry` is a class, a factory, or "module:attribute"."""
    if isinstance(entry, str):
        module, _, attribute = entry.partition(":")
        entry = getattr(import_module(module), attribute)
    return entry(name, space, objectives, seed, constraints, options)


def _check_kind(option: str, value: object, default: object) -> None:
    """Refuse a value of another kind than the default has; None and lists say nothing of it."""
    if type(default) not in KINDS:
        return
    kind, wanted = KINDS[type(default)]
    # a bool is an int, but nobody means one where a number is asked for
    if not isinstance(value, kind) or isinstance(value, bool) != isinstance(default, bool):
        raise PolicyError(f"The option {option} is {value!r}; give {wanted}, such as {default!r}.")
