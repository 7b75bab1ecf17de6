"""Up in a line, and down in a line to a rate that is not zero.

Source: Portes et al., "MosaicBERT: A Bidirectional Encoder Optimized for Fast Pretraining", NeurIPS
2023: 6 % of warm-up, down to 2 % of the peak. The preset `mosaic` has the rest of its recipe.
"""

from dataclasses import dataclass

from nas.training.schedule import Schedule
from nas.training.schedules.base import SCHEDULES
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["schedule"].kinds.register("mosaic")(
    Kind(
        "mosaic",
        "warm-up, then down in a line to a floor",
        {
            "warmup": Setting(0.06, "line", most=1, weight=0.05),
            "floor": Setting(0.02, "line", most=1, weight=0.05),
        },
    )
)


@dataclass(frozen=True)
class Floored(Schedule):
    """A triangle that ends at a share of its peak.

    Attributes:
        floor: That share.
    """

    floor: float = 0.0

    def share(self, step: float) -> float:
        rising = step / self.rising if step < self.rising else 1.0
        left = (self.steps - step) / self.falling if self.falling else 1.0
        return min(rising, self.floor + (1.0 - self.floor) * min(left, 1.0))


@SCHEDULES.register("mosaic")
def mosaic(
    steps: int, full_steps: int, *, finetuning: bool, warmup: float, floor: float
) -> Schedule:
    """Return the schedule of pre-training or fine-tuning.

    Args:
        steps: Steps of the training.
        full_steps: Steps of the whole budget.
        finetuning: Has the same form.
        warmup: Share of `full_steps` over which the rate rises.
        floor: Share of the peak at the end.
    """
    line = Schedule.rung(steps, steps if finetuning else full_steps, warmup, None)
    return Floored(line.steps, line.rising, line.falling, floor)
