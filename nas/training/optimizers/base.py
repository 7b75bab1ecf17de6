"""What every optimizer is: torch's interface, made for parameters that decay and those that do not.

The loop sets each group's "lr" before a step, and keeps the optimizer's state, which must be
tensors by name for each parameter, so that a trial that was cut off continues with the same bits.
An optimizer may also have

- `backward(loss)`, called in place of `loss.backward()`;
- `ascend()` and `descend()`: after the gradients of a batch the loop calls the first, computes the
  gradients again where the parameters are then, with the same draws, and calls the second;
- `kernels()`, a context that everything is computed in.
"""

from collections.abc import Callable, Iterable
from functools import partial
from math import prod

from torch import nn
from torch.optim import Optimizer

from nas.training.recipe import Recipe
from search_spaces.kinds import SLOTS, Kind
from search_spaces.registry import Registry

# (decayed, kept, *, learning_rate, weight_decay) -> the optimizer of both groups
MakeOptimizer = Callable[..., Optimizer]
Parameters = list[nn.Parameter]
# (shape, *, decays, **settings) -> numbers kept of a parameter, beside the count of steps
Numbers = Callable[..., int]

# name of a kind -> a `MakeOptimizer` that takes the kind's settings by name, too
OPTIMIZERS: Registry[MakeOptimizer] = Registry("optimizer", group="nas.optimizers")
# name of a kind -> what it keeps; two moments where nothing is said
KEPT: dict[str, Numbers] = {}


def two_moments(shape: Iterable[int], *, decays: bool, **settings: object) -> int:
    """Return the numbers that Adam keeps of a parameter."""
    return 2 * prod(shape)


def optimizer_kind(
    kind: Kind, keeps: Numbers = two_moments
) -> Callable[[MakeOptimizer], MakeOptimizer]:
    """Register a kind in both slots of optimizers, with the decorated function that makes it."""
    for slot in ("optimizer", "finetune_optimizer"):
        SLOTS[slot].kinds.register(kind.name)(kind)
    KEPT[kind.name] = keeps
    return OPTIMIZERS.register(kind.name)


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


def kept_bytes(
    recipe: Recipe, decayed: Parameters, kept: Parameters, slot: str = "optimizer"
) -> int:
    """Return the bytes that a recipe's optimizer keeps of parameters beside them, as declared."""
    (part,) = recipe.standing(slot)
    settings = SLOTS[slot].kinds[part.kind].settings_of(part)
    numbers = KEPT.get(part.kind, two_moments)
    both = ((decayed, True), (kept, False))
    return 4 * sum(
        numbers(p.shape, decays=decays, **settings) for group, decays in both for p in group
    )
