"""A Gaussian process that is asked near the best alone, in a region that grows and shrinks.

Source: Eriksson, Pearce, Gardner, Turner, Poloczek, "Scalable Global Optimization via Local
Bayesian Optimization", NeurIPS 2019; Hamming balls for categories: Wan et al., "Think Global and
Act Local: Bayesian Optimisation over High-Dimensional Categorical and Mixed Search Spaces", ICML
2021.
Differs on purpose: one region, whose radius is worked out anew from the record, so that a policy
made again from it is the same; with several objectives there is a ball around each architecture of
the front told so far; improvement is expected and not sampled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_spaces import Architecture
from surrogates.domination.fronts import non_dominated
from surrogates.models.gaussian_process import SumKernelGP
from surrogates.policies.gp_hamming import Hamming, LayerCodes, differing
from surrogates.policies.model_policy import ModelPolicy
from surrogates.policy import Policy
from surrogates.record import Trial

START = 0.5  # radius of the first ball, as a share of the codes that can differ
SUCCESSES, FAILURES = 3, 5  # in a row, after which it grows, and shrinks
GROWTH, SHRINKAGE, LEAST = 1.5, 0.5, 0.05


def trust_region(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "trust-region".

    Partial results are learned with a bias and noise of their fidelity; see `SumKernelGP`.
    """
    codes, fits = LayerCodes.of(space), {}
    return ModelPolicy(
        name, space, objectives, seed, constraints, options,
        make_model=lambda sign, features: SumKernelGP(codes, Hamming(), fits=fits),
        narrow=Ball(codes),
    )  # fmt: skip


@dataclass
class Ball:
    """Keeps candidates that differ little from the best told.

    Args:
        codes: What counts as a difference.
    """

    codes: LayerCodes

    def __call__(
        self, policy: Policy, pool: Sequence[Architecture], n: int
    ) -> Sequence[Architecture]:
        """Return the candidates inside, at least the `n` nearest; before results all."""
        told = [t for t in policy.trials() if t.values is not None]
        if not told or len(pool) <= n:
            return pool
        values = _values(policy, told)
        best = [t.architecture for t, kept in zip(told, non_dominated(values), strict=True) if kept]
        centres = self.codes(best)
        widest = differing(self.codes([t.architecture for t in told]), centres).max()
        gaps = differing(self.codes(list(pool)), centres).min(1)
        radius = max(
            float(np.partition(gaps, n - 1)[n - 1]), float(widest) * share_of_radius(values)
        )
        return [a for a, gap in zip(pool, gaps, strict=True) if gap <= radius]


def share_of_radius(values: np.ndarray) -> float:
    """Return the radius, as a share of the widest, after results in the order of asking.

    A result is a success if none before it is better or equal.

    Args:
        values: `(n, objectives)`, larger is better.
    """
    share, won, lost = START, 0, 0
    for n in range(1, len(values) + 1):
        before, last = values[: n - 1], values[n - 1]
        beaten = bool((before >= last).all(1).any())
        won, lost = (0, lost + 1) if beaten else (won + 1, 0)
        if won == SUCCESSES:
            share, won = min(1.0, share * GROWTH), 0
        elif lost == FAILURES:
            share, lost = share * SHRINKAGE, 0
        if share < LEAST:  # nothing is found any more: begin anew
            share = START
    return share


def _values(policy: Policy, trials: Sequence[Trial]) -> np.ndarray:
    rows = [
        [
            o.sign * (policy.exact(o.name, t.architecture) if o.exact else t.values[o.name])
            for o in policy.objectives
        ]
        for t in trials
    ]
    return np.array(rows, float)
