"""What to try while nothing is known: proposals spread over size and content."""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture
from surrogates.features import Featurizer

LARGEST = 0.25  # the share of candidates that count as large


def most_different(
    pool: Sequence[Architecture],
    mentioned: Sequence[Architecture],
    features: Featurizer,
    *,
    large: bool = False,
) -> Architecture:
    """Return the candidate farthest from all `mentioned`; if there are none, the largest.

    Size counts double: it decides most of what an encoder scores and costs.

    Args:
        pool: What may be proposed, one or more.
        mentioned: What was told or proposed before.
        features: Of the space.
        large: Look only at the largest quarter of `pool`.
    """
    rows = _stretched(features, pool)
    size = rows[:, : features.sizes].sum(1)
    if not mentioned:
        return pool[int(np.argmax(size))]
    gaps = rows[:, None] - _stretched(features, mentioned)[None]
    distance = (gaps**2).sum(-1).min(1)
    if large:
        distance[size < np.quantile(size, 1 - LARGEST)] = -1
    return pool[int(np.argmax(distance))]


def _stretched(features: Featurizer, architectures: Sequence[Architecture]) -> np.ndarray:
    rows = features(architectures)
    rows[:, : features.sizes] *= 2
    return rows
