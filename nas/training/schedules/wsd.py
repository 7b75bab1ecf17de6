"""Warm-up, a level rate, and a fall that is steep at first.

Source: Hu et al., "MiniCPM", 2024 (the name); Hägele et al., "Scaling Laws and Compute-Optimal
Training Beyond Fixed Training Durations", NeurIPS 2024 (a fall by one minus the square root, which
they found better than a line). ModernBERT (Warner et al., 2024) is trained by it.
"""

import math

from nas.training.schedule import Schedule
from nas.training.schedules.base import SCHEDULES
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["schedule"].kinds.register("wsd")(
    Kind(
        "wsd",
        "warm-up, level, then down by one minus the square root",
        {
            "warmup": Setting(0.1, "line", most=1, weight=0.05),
            "decay": Setting(0.2, "line", least=0.01, most=1, weight=0.05),
        },
    )
)


class SquareRootFall(Schedule):
    """A trapezoid whose fall is one minus the square root of the share of it that is done."""

    def share(self, step: float) -> float:
        rising = step / self.rising if step < self.rising else 1.0
        done = (step - self.steps + self.falling) / self.falling
        return min(rising, 1.0 - math.sqrt(min(max(done, 0.0), 1.0)))


@SCHEDULES.register("wsd")
def wsd(steps: int, full_steps: int, *, finetuning: bool, warmup: float, decay: float) -> Schedule:
    """Return the schedule of pre-training, or the triangle of fine-tuning.

    Args:
        steps: Steps until the rate is zero.
        full_steps: Steps of the whole budget.
        finetuning: Fine-tuning has no level part.
        warmup: Share of `full_steps` over which the rate rises.
        decay: Share of `steps` over which it falls.
    """
    if finetuning:
        return Schedule.linear(steps, warmup)
    return SquareRootFall(steps, warmup * full_steps, decay * steps)
