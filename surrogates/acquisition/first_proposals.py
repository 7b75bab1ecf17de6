"""What to try while nothing is known: proposals spread over size and content."""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture
from surrogates.features.columns import Featurizer

LARGEST = 0.25  # the share of candidates that count as large
STRETCH = 2.0  # size decides most of what an encoder scores and costs


def most_different(
    pool: Sequence[Architecture],
    mentioned: Sequence[Architecture],
    features: Featurizer,
    *,
    large: "Large | None" = None,
) -> Architecture:
    """Return the candidate farthest from all `mentioned`; if there are none, the largest.

    Size counts double.

    Args:
        pool: What may be proposed, one or more.
        mentioned: What was told or proposed before.
        features: Of the space.
        large: Look only at those that are large; if none is left, at as large a share of `pool`.
    """
    rows = _stretched(features, pool)
    size = rows[:, : features.sizes].sum(1) / STRETCH
    if not mentioned:
        return pool[int(np.argmax(size))]
    gaps = rows[:, None] - _stretched(features, mentioned)[None]
    distance = (gaps**2).sum(-1).min(1)
    if large is not None:
        least = large.least if (size >= large.least).any() else np.quantile(size, 1 - LARGEST)
        distance[size < least] = -1
    return pool[int(np.argmax(distance))]


def sizes(architectures: Sequence[Architecture], features: Featurizer) -> np.ndarray:
    """Return how large each architecture is in depth, width and parameters together, `(n,)`."""
    return features(architectures)[:, : features.sizes].sum(1)


class Large:
    """What counts as large in a space: the largest share of some of its members.

    Args:
        members: Of the space, drawn without regard to what was tried.
        features: Of the space.

    Attributes:
        least: The least size that counts as large.
        members: How many of the members are large.
    """

    def __init__(self, members: Sequence[Architecture], features: Featurizer):
        self._features = features
        found = sizes(members, features) if members else np.zeros(1)
        self.least = np.quantile(found, 1 - LARGEST)
        self.members = int((found >= self.least).sum()) if members else 0

    def count(self, architectures: Sequence[Architecture]) -> int:
        """Return how many of `architectures` are large."""
        if not architectures:
            return 0
        return int((sizes(architectures, self._features) >= self.least).sum())


def _stretched(features: Featurizer, architectures: Sequence[Architecture]) -> np.ndarray:
    rows = features(architectures)
    rows[:, : features.sizes] *= STRETCH
    return rows
