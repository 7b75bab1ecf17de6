"""Up in a line, level, and down in a line to zero."""

from nas.training.schedule import Schedule
from nas.training.schedules.base import SCHEDULES


@SCHEDULES.register("linear")
def linear(
    steps: int, full_steps: int, *, finetuning: bool, warmup: float, decay: float
) -> Schedule:
    """Return the trapezoid of pre-training, or the triangle of fine-tuning.

    Args:
        steps: Steps until the rate is zero.
        full_steps: Steps of the whole budget.
        finetuning: Fine-tuning has no level part.
        warmup: Share of `full_steps` over which the rate rises.
        decay: Share of `steps` over which it falls; 0 falls from the end of the warm-up on.
    """
    if finetuning:
        return Schedule.linear(steps, warmup)
    return Schedule.rung(steps, full_steps, warmup, decay or None)
