"""The published BOSHNAS, as faithful as a policy that can be replayed allows.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, and the code released with it.
Differs on purpose: exact distances of all pairs behind the embedding (published: one per cent of
them, the rest interpolated over list positions); the library of a big space is a seeded sample; the
loss is scaled by the range of the results; several objectives count equally; see also
`paper_surrogate`. The published stop rule is reported by `explain` as "converged"; the search
stops by its own budget.
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
                surrogate = surrogate or self._fit(rng)
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

    def _losses(self) -> tuple[list[Architecture], np.ndarray]:
        """Return what was told and its loss in [0, 1]; a failure has the worst."""
        estimated, failed = self.estimated(), self._record.failed()
        done = [t for t in estimated if t.error is None]
        columns = []
        for objective in self.objectives:
            if objective.exact:
                values = [self.exact(objective.name, t.architecture) for t in done]
            else:
                values = [t.values[objective.name] for t in done]
            values = objective.sign * np.array(values, float)
            span = values.max() - values.min()
            columns.append((values.max() - values) / (span if span > 0 else 1.0))
        losses = np.concatenate([np.mean(columns, axis=0), np.ones(len(failed))])
        return [t.architecture for t in done + failed], losses

    def _steps_without_gain(self) -> int:
        """Return how many optimisation steps in a row have not improved on the best before."""
        architectures, losses = self._losses()
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

    def _fit(self, rng) -> PaperSurrogate:
        architectures, losses = self._losses()
        return PaperSurrogate(
            torch.as_tensor(self._library().transform(architectures)),
            torch.as_tensor(losses),
            heteroscedastic=self.options.heteroscedastic,
            generator=torch.Generator().manual_seed(int(rng.integers(2**31))),
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
        surrogate = self._fit(np.random.default_rng([self.seed, self._record.asked]))
        with torch.no_grad():
            rows = torch.as_tensor(self._library().transform(architectures))
            mean, doubt, variance = (part.numpy() for part in surrogate.moments(rows))
        (objective,) = self.objectives
        told = [t for t in self.estimated() if t.error is None]
        told = [objective.sign * t.values[objective.name] for t in told]
        span = max(told) - min(told) or 1.0
        mean = objective.sign * (max(told) - mean * span)
        return {objective.name: Prediction(mean, doubt * span, np.sqrt(variance) * span)}
