"""How much of a recipe one call trains, and how it passes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What may differ between two calls with the same recipe.

    Attributes:
        share: Share of the recipe's pre-training tokens, in (0, 1]; the learning rate is zero at
            its end.
        learning_rate_scale: Factor of the recipe's learning rates.
        micro_batches: Parts in which each batch passes, for less memory.
    """

    share: float = 1.0
    learning_rate_scale: float = 1.0
    micro_batches: int = 1


WHOLE = Budget()
