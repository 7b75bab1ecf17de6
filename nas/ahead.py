"""How many proposals to have ready before a worker is free.

Each one prepared early knows a little less than one made at the last moment; none ready means a
worker that waits. So: as many as workers are expected to need while the policy thinks once.
"""

import math
from collections import deque

# Completions that the rate is taken from.
_REMEMBERED = 16
# Proposals made at once know nothing of each other's results, so they are few among those known.
_SHARE_OF_KNOWN = 4


class Ahead:
    """Decides how many proposals should be ready.

    Args:
        capacity: How many trials run at once.
        concurrent: Whether the policy thinks while trials run; otherwise nothing is gained early.
    """

    def __init__(self, capacity: int, *, concurrent: bool):
        self._capacity, self._concurrent = capacity, concurrent
        self._returned: deque[float] = deque(maxlen=_REMEMBERED)
        self._seconds = 0.0

    def returned(self, now: float) -> None:
        """Note that a worker became free at `now`, in seconds."""
        self._returned.append(now)

    def answered(self, seconds: float) -> None:
        """Note how long the policy thought."""
        self._seconds = seconds

    def wanted(self, known: int) -> int:
        """Return how many proposals should be ready; `known` results were told."""
        if not self._concurrent:
            return 0
        if len(self._returned) < 2:
            return 1
        interval = (self._returned[-1] - self._returned[0]) / (len(self._returned) - 1)
        needed = math.ceil(self._seconds / interval) if interval > 0 else self._capacity
        return max(1, min(needed, max(self._capacity, known // _SHARE_OF_KNOWN)))
