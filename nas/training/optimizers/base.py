"""What every optimizer is: torch's interface, made for parameters that decay and those that do not.

The loop sets each group's "lr" before a step, and keeps the optimizer's state, which must be
tensors by name for each parameter, so that a trial that was cut off continues with the same bits.
"""

from collections.abc import Callable
from functools import partial

from torch import nn
from torch.optim import Optimizer

from nas.training.recipe import Recipe
from search_spaces.kinds import SLOTS
from search_spaces.registry import Registry

# (decayed, kept, *, learning_rate, weight_decay) -> the optimizer of both groups
MakeOptimizer = Callable[..., Optimizer]
Parameters = list[nn.Parameter]

# name of a kind -> a `MakeOptimizer` that takes the kind's settings by name, too
OPTIMIZERS: Registry[MakeOptimizer] = Registry("optimizer", group="nas.optimizers")


def optimizer_of(recipe: Recipe, slot: str = "optimizer") -> MakeOptimizer:
    """Return what makes the optimizer that stands in a slot of a recipe, its settings given.

    Args:
        recipe: Of a trial.
        slot: "optimizer" for pre-training, or "finetune_optimizer".

    Raises:
        UnknownName: Nothing that can be made has that name.
    """
    (part,) = recipe.standing(slot)
    settings = SLOTS[slot].kinds[part.kind].settings_of(part)
    return partial(OPTIMIZERS[part.kind], **settings)
