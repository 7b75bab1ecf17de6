"""Candidates from the second-order search of the published BOSHNAS, in the space of our features.

An upper confidence bound of the surrogate climbs from the features of a few architectures; where
each climb ends, the nearest of many drawn architectures becomes a candidate.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023.
"""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture
from surrogates.models.gaussian_process import SumKernelGP

RATES = [0.2, 0.1, 0.05] * 10
OPTIMISM = 1.0  # standard deviations added to the mean


def climbed_candidates(
    model: SumKernelGP,
    features,
    starts: Sequence[Architecture],
    drawn: Sequence[Architecture],
    rng: np.random.Generator,
) -> list[Architecture]:
    """Return the members of `drawn` nearest to where climbs from `starts` end, each once.

    Args:
        model: Fitted.
        features: Turns architectures into the rows the model was fitted on.
        starts: Where to climb from, at least one.
        drawn: What an end may be decoded to.
        rng: Seeds the curvature estimates.
    """
    import torch

    from surrogates.boshnas.input_search import climb

    rows = features(drawn)
    value = bound_in_torch(model, OPTIMISM)
    ends = climb(
        value,
        torch.as_tensor(features(starts)),
        torch.as_tensor(rows.min(0)),
        torch.as_tensor(rows.max(0)),
        RATES,
        torch.Generator().manual_seed(int(rng.integers(2**31))),
    ).numpy()
    gaps = ((ends[:, None] - rows[None]) ** 2).sum(-1)
    return [drawn[i] for i in dict.fromkeys(gaps.argmin(1).tolist())]


def bound_in_torch(model: SumKernelGP, optimism: float):
    """Return the upper confidence bound as a function of torch rows `(n, features)`, `(n,)`."""
    import torch

    inverse, known, alpha = (
        torch.as_tensor(x) for x in (np.linalg.inv(model.factor), model.rows, model.alpha)
    )

    def bound(rows):
        cross, prior = model.kernels.weighted_in_torch(model.weights, known, rows)
        variance = (prior - ((inverse @ cross) ** 2).sum(0)).clamp_min(1e-9)
        trend = torch.as_tensor(model.trend(rows))
        return trend + cross.T @ alpha + optimism * variance.sqrt()

    return bound
