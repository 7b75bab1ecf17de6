"""What every schedule is: the share of the peak learning rate at each of a known number of steps.

A kind returns something with the attributes of `nas.training.schedule.Schedule`: `steps`, `branch`
(how many first steps a longer training shares, 0 for none), and `share(step)`, in [0, 1].
"""

from collections.abc import Callable

from nas.training.recipe import Recipe
from nas.training.schedule import Schedule
from search_spaces.kinds import SLOTS
from search_spaces.registry import Registry

# name of a kind -> (steps, full_steps, *, finetuning) and the kind's settings by name -> schedule
SCHEDULES: Registry[Callable[..., Schedule]] = Registry("schedule", group="nas.schedules")


def schedule_of(recipe: Recipe, steps: int, full_steps: int, *, finetuning: bool) -> Schedule:
    """Return the schedule that stands in a recipe, over `steps` of `full_steps`.

    Args:
        recipe: Of a trial.
        steps: Steps until the rate is zero.
        full_steps: Steps of the whole budget, of which a lower fidelity has fewer.
        finetuning: Whether it is that of a task, not of pre-training.

    Raises:
        UnknownName: Nothing that can be made has that name.
    """
    (part,) = recipe.standing("schedule")
    settings = SLOTS["schedule"].kinds[part.kind].settings_of(part)
    return SCHEDULES[part.kind](steps, full_steps, finetuning=finetuning, **settings)
