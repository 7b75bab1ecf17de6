"""How many proposals to prepare before workers ask for them.

Prepared early, a proposal knows less of the results to come; prepared at the last moment, none
ready means a worker that waits. So: as many as workers are expected to need while the policy thinks
once. Where they still wait, twice as many: one long thought costs less than several short ones,
because most of it is learning, which they share.
"""

import math
from collections import deque

# Completions that the rate is taken from.
_REMEMBERED = 16
# Proposals made at once know nothing of each other's results, so they are few among those known.
_SHARE_OF_KNOWN = 4
# From so many on, a thought is made of choosing, and more of them at once save nothing.
_MOST_MORE = 32


class Ahead:
    """Decides how many proposals should be ready.

    Args:
        capacity: How many trials run at once; may be set to another number later.
        concurrent: Whether the policy thinks while trials run; otherwise nothing is gained early.
    """

    def __init__(self, capacity: int, *, concurrent: bool):
        self.capacity, self._concurrent = capacity, concurrent
        self._returned: deque[float] = deque(maxlen=_REMEMBERED)
        self._seconds = 0.0
        self._more = 0

    def returned(self, now: float) -> None:
        """Note that a worker became free at `now`, in seconds."""
        self._returned.append(now)

    def answered(self, seconds: float, *, starved: bool = False) -> None:
        """Note how long the policy thought, and whether a worker waited for it at the end."""
        self._seconds = seconds
        starved = starved and len(self._returned) > 1  # at the start everybody waits
        self._more = min(max(2, 2 * self._more), _MOST_MORE) if starved else self._more // 2

    def wanted(self, known: int) -> int:
        """Return how many proposals should be ready; `known` results were told."""
        if not self._concurrent:
            return 0
        if len(self._returned) < 2:
            return 1
        interval = (self._returned[-1] - self._returned[0]) / (len(self._returned) - 1)
        needed = math.ceil(self._seconds / interval) if interval > 0 else self.capacity
        return max(1, min(needed + self._more, max(self.capacity, known // _SHARE_OF_KNOWN)))

    def request(self, known: int, *, free: int, ready: int) -> int:
        """Return how many proposals to ask for now; 0 while enough are ready.

        Args:
            known: Results that were told.
            free: Workers without a trial.
            ready: Proposals that wait for a worker.
        """
        wanted = self.wanted(known)
        if ready - free > wanted // 2:  # not one at a time as each is taken
            return 0
        return free + wanted - ready
