"""Up in a line, and down along half a cosine to zero.

Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017,
without restarts.
"""

import math

from nas.training.schedule import Schedule
from nas.training.schedules.base import SCHEDULES
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["schedule"].kinds.register("cosine")(
    Kind(
        "cosine",
        "warm-up, then down along half a cosine",
        {"warmup": Setting(0.1, "line", most=1, weight=0.05)},
    )
)


class HalfCosine(Schedule):
    """A triangle whose fall is half a period of a cosine."""

    def share(self, step: float) -> float:
        rising = step / self.rising if step < self.rising else 1.0
        done = (step - self.steps + self.falling) / self.falling if self.falling else 0.0
        return min(rising, (1.0 + math.cos(math.pi * min(max(done, 0.0), 1.0))) / 2)


@SCHEDULES.register("cosine")
def cosine(steps: int, full_steps: int, *, finetuning: bool, warmup: float) -> Schedule:
    """Return the schedule of pre-training or fine-tuning.

    Args:
        steps: Steps until the rate is zero.
        full_steps: Steps of the whole budget.
        finetuning: Has the same form.
        warmup: Share of `full_steps` over which the rate rises.
    """
    line = Schedule.rung(steps, steps if finetuning else full_steps, warmup, None)
    return HalfCosine(line.steps, line.rising, line.falling)
