"""How the learning rate moves: up, level, and down to exactly zero at the end of the budget."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A trapezoid over a known number of steps; without a level part, a triangle.

    The rate rises in proportion to the step, stays at its peak, and falls linearly over the last
    `falling` steps. Two schedules with the same `rising` agree bit by bit on every step before the
    shorter one begins to fall: training that is to go on later is kept from there.

    Attributes:
        steps: Steps until the rate is zero.
        rising: Steps over which it rises.
        falling: Steps over which it falls.

    Source: the trapezoid is that of Hägele et al., "Scaling Laws and Compute-Optimal Training
    Beyond Fixed Training Durations", NeurIPS 2024.
    """

    steps: int
    rising: float
    falling: float

    @classmethod
    def linear(cls, steps: int, warmup: float) -> "Schedule":
        """Rise over the share `warmup` of the steps, then fall to the end."""
        return cls(steps, warmup * steps, steps - warmup * steps)

    @classmethod
    def rung(cls, steps: int, full_steps: int, warmup: float, decay: float | None) -> "Schedule":
        """Return the schedule of a training cut short at `steps` of `full_steps`.

        Args:
            steps: Steps of this rung.
            full_steps: Steps of the whole budget; `warmup` is a share of these, so that it is the
                same for every rung.
            warmup: Share of `full_steps` over which the rate rises.
            decay: Share of `steps` over which it falls; None for all after the warm-up, and at
                least half of a rung that ends before or soon after it.
        """
        rising = warmup * full_steps
        if decay is None:
            return cls(steps, rising, steps - min(rising, max(warmup, 0.5) * steps))
        return cls(steps, rising, decay * steps)

    @property
    def branch(self) -> int:
        """Number of first steps that every longer schedule with the same rise shares."""
        return min(self.steps, max(0, math.floor(self.steps - self.falling)))

    def share(self, step: float) -> float:
        """Return the share of the peak learning rate after `step` steps, in [0, 1]."""
        rising = step / self.rising if step < self.rising else 1.0
        falling = (self.steps - step) / self.falling if self.falling else 1.0
        return min(rising, falling, 1.0)
