"""The published BOSHNAS, as faithful as a policy that can be replayed allows.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, and the code released with it.
Differs on purpose: exact distances of all pairs behind the embedding (published: one per cent of
them, the rest interpolated over list positions); the library of a big space is a seeded sample; the
networks learn a round after every result, in the order of telling, so that they can be made again
from the record; a loss is 1 for the worst and one half for the best of the initial results, and
stays on that scale (published: 1 - GLUE over the worst initial one, which supposes that 1 is the
best there is); several objectives count equally; see also `paper_surrogate`. The published stop
rule is reported by `explain` as "converged"; the search stops by its own budget.
"""

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np
import torch

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from search_spaces.vectors.embedding import Embedding
from surrogates.boshnas.input_search import climb
from surrogates.boshnas.paper_surrogate import PaperSurrogate
from surrogates.candidates import Candidates
from surrogates.policy import Options, Policy, Prediction
from surrogates.record import Record

if TYPE_CHECKING:
    from torch import Tensor

LIBRARY, LANDMARKS = 2_000, 300
ITERATIONS = 200  # of the input search
RATE, PLAIN_RATE = 0.5, 10.0
OPTIMISE, UNCERTAINTY = 0.8, 0.1  # the rest is diversity
PATIENCE = 5  # steps without a gain before the aleatoric phase, and again before convergence


@dataclass(frozen=True)
class PaperOptions(Options):
    """Settings of the published algorithm.

    Attributes:
        initial: Random architectures before the surrogate is asked.
        second_order: Search the input by AdaHessian, else by gradient descent.
        heteroscedastic: Model the noise with a natural-parameter network.
        dimensions: Of the embedding.
        restarts: Points that the input search starts from.
    """

    initial: int = 10
    second_order: bool = True
    heteroscedastic: bool = True
    dimensions: int = 16
    restarts: int = 10


class PaperBoshnas(Policy):
    """Optimises the input of its surrogate, explores where it is unsure, and at random.

    Partial results are learned as if they were full; see `Record.lifted`. `explain` gives the
    "epistemic" deviation of the loss, one number for all objectives.
    """

    Options = PaperOptions

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        for option in ("initial", "dimensions", "restarts"):
            value = getattr(self.options, option)
            if not isinstance(value, int) or value < 1:
                raise PolicyError(f"The option {option} is {value!r}; give a number of 1 or more.")
        self._candidates = Candidates(space, self.allowed)
        self._embedding: Embedding | None = None
        self._learned: _Learned | None = None

    def _library(self) -> Embedding:
        """The embedded library; made once, from the seed alone."""
        if self._embedding is None:
            drawn = self._candidates.draw(LIBRARY, np.random.default_rng(self.seed), set())
            self._embedding = Embedding(
                drawn, self.options.dimensions, landmarks=min(LANDMARKS, len(drawn))
            )
        return self._embedding

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        seen, proposals = self.seen(), []
        surrogate = None
        for _ in range(n):
            if len(seen) < self.options.initial or not self._record.done():
                found = self._random(rng, seen, "initial")
            else:
                surrogate = surrogate or self._surrogate()
                found = self._step(surrogate, rng, seen)
            if found is None:
                break
            proposals.append(found)
            seen.add(found[0].hash)
        return proposals

    def _random(self, rng, seen, reason: str) -> tuple[Architecture, dict] | None:
        drawn = self._candidates.draw(1, rng, seen)
        return (drawn[0], {"reason": reason}) if drawn else None

    def _step(self, surrogate: PaperSurrogate, rng, seen) -> tuple[Architecture, dict] | None:
        library = self._library()
        left = [i for i, a in enumerate(library.architectures) if a.hash not in seen]
        chance = rng.random()
        if not left or chance >= OPTIMISE + UNCERTAINTY:
            return self._random(rng, seen, "diversity")
        rows = torch.as_tensor(library.vectors)
        stale = self._steps_without_gain()
        with torch.no_grad():
            _, doubt, _ = surrogate.moments(rows)
            bound = surrogate.bound(rows, aleatoric=stale >= PATIENCE)
        if chance >= OPTIMISE:
            best = left[int(doubt[left].argmax())]
            reason = "uncertainty"
        else:
            best = self._optimise(surrogate, rows, bound, left, rng, aleatoric=stale >= PATIENCE)
            reason = "optimise"
        why = {
            "reason": reason,
            "acquisition": -float(bound[best]),
            "epistemic": float(doubt[best]),
            "converged": stale >= 2 * PATIENCE,
        }
        return library.architectures[best], why

    def _optimise(self, surrogate, rows: "Tensor", bound, left, rng, *, aleatoric: bool) -> int:
        """Return the library's position of the best unseen decode of the input search."""
        options = self.options
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        starts = rows[rng.choice(len(rows), min(options.restarts, len(rows)), replace=False)]
        peak = RATE if options.second_order else PLAIN_RATE
        # The published cosine schedule of period 2: full, half and no rate, in turn.
        wave = chain.from_iterable(repeat((peak, peak / 2, 0.0, peak / 2)))
        rates = [next(wave) for _ in range(ITERATIONS)]
        ends = climb(
            lambda points: -surrogate.bound(points, aleatoric=aleatoric),
            starts,
            rows.min(0).values,
            rows.max(0).values,
            rates,
            generator,
            second_order=options.second_order,
        )
        # The nearest library entry by mean absolute difference; a seen one gives way to the
        # nearest unseen one.
        gaps = (ends[:, None] - rows[left][None]).abs().mean(-1)
        decoded = {left[int(i)] for i in gaps.argmin(1)}
        return min(sorted(decoded), key=lambda i: float(bound[i]))

    def _loss_scale(self, record: Record) -> list[tuple[float, float]]:
        """Return of each objective the best value, larger is better, and what a loss of 1 spans.

        That of the results told first; it stays as it is from then on.
        """
        first = [t for t in record.estimated() if t.error is None][: self.options.initial]
        scale = []
        for objective in self.objectives:
            values = self._oriented(objective, first)
            span = 2 * (values.max() - values.min())
            scale.append((values.max() + span / 2, span if span > 0 else 1.0))
        return scale

    def _oriented(self, objective, trials) -> np.ndarray:
        if objective.exact:
            values = [self.exact(objective.name, t.architecture) for t in trials]
        else:
            values = [t.values[objective.name] for t in trials]
        return objective.sign * np.array(values, float)

    def _losses(self, record: Record) -> tuple[list[Architecture], np.ndarray]:
        """Return what was told and its loss in [0, 1]; a failure has the worst."""
        estimated = record.estimated()
        done = [t for t in estimated if t.error is None]
        failed = [t for t in estimated if t.error is not None]
        columns = [
            ((top - self._oriented(objective, done)) / span).clip(0, 1)
            for objective, (top, span) in zip(
                self.objectives, self._loss_scale(record), strict=True
            )
        ]
        losses = np.concatenate([np.mean(columns, axis=0), np.ones(len(failed))])
        return [t.architecture for t in done + failed], losses

    def _steps_without_gain(self) -> int:
        """Return how many optimisation steps in a row have not improved on the best before."""
        architectures, losses = self._losses(self._record)
        loss_of = {a.hash: loss for a, loss in zip(architectures, losses, strict=True)}
        best, stale = np.inf, 0
        for trial in self.trials():
            loss = loss_of.get(trial.architecture.hash)
            if loss is None:
                continue
            optimised = (trial.why or {}).get("reason") == "optimise"
            stale = stale + 1 if optimised and loss >= best else 0
            best = min(best, loss)
        return stale

    def _surrogate(self) -> PaperSurrogate:
        """Return the networks: they learn a round after each result from the last initial one on.

        Asked before that, as by several workers, they are made for the moment.
        """
        learned = self._learned = self._learned or _Learned(
            Record(self._record.objectives, self._record.constraints)
        )
        for event in self._record.events[learned.events :]:
            learned.events += 1
            if "tell" not in event:
                continue
            learned.tell(event)
            if learned.told >= self.options.initial and learned.record.done():
                learned.surrogate = learned.surrogate or self._untaught()
                self._teach(learned.surrogate, learned)
        if learned.surrogate is not None:
            return learned.surrogate
        surrogate = self._untaught()
        self._teach(surrogate, learned)
        return surrogate

    def _untaught(self) -> PaperSurrogate:
        return PaperSurrogate(
            self._library().vectors.shape[1],
            heteroscedastic=self.options.heteroscedastic,
            generator=torch.Generator().manual_seed(self.seed),
        )

    def _teach(self, surrogate: PaperSurrogate, learned: "_Learned") -> None:
        architectures, losses = self._losses(learned.record)
        surrogate.learn(
            torch.as_tensor(self._library().transform(architectures)),
            torch.as_tensor(losses),
            np.random.default_rng([self.seed, learned.told]),
        )

    def predict(self, architectures) -> dict[str, Prediction]:
        if len(self.objectives) > 1:
            raise PolicyError(
                f"Policy {self.name!r} models all objectives as one; it cannot predict each. "
                "Use 'boshnas', or one objective."
            )
        if not self._record.done():
            raise PolicyError(
                f"Policy {self.name!r} has been told no result yet, so it cannot predict."
            )
        surrogate = self._surrogate()
        with torch.no_grad():
            rows = torch.as_tensor(self._library().transform(architectures))
            mean, doubt, variance = (part.numpy() for part in surrogate.moments(rows))
        (objective,) = self.objectives
        ((top, span),) = self._loss_scale(self._learned.record)
        mean = objective.sign * (top - mean * span)
        return {objective.name: Prediction(mean, doubt * span, np.sqrt(variance) * span)}


@dataclass
class _Learned:
    """The record in the order of telling, and the networks as far as they have learned it."""

    record: Record
    surrogate: PaperSurrogate | None = None
    events: int = 0
    told: int = 0

    def tell(self, event: dict) -> None:
        architecture = Architecture.from_dict(event["tell"])
        self.record.tell(
            architecture, event["values"], event["error"], event["cost"],
            event.get("fidelity", 1.0),
        )  # fmt: skip
        self.told += 1
