"""What every augmentation is: other text for pre-training to read, as much of it as before."""

from collections.abc import Callable

import numpy as np

from nas.training.recipe import Recipe
from search_spaces.kinds import SLOTS
from search_spaces.registry import Registry

# name of a kind -> (blocks, tokenizer_json, seed, **settings) -> blocks of the same shape
AUGMENTATIONS: Registry[Callable[..., np.ndarray]] = Registry(
    "augmentation", group="nas.augmentations"
)


@AUGMENTATIONS.register("none")
def none(blocks: np.ndarray, tokenizer_json: str, seed: int) -> np.ndarray:
    """Return the text as it is."""
    return blocks


def augmented(recipe: Recipe, blocks: np.ndarray, tokenizer_json: str, seed: int) -> np.ndarray:
    """Return what the augmentation of a recipe makes of text, `(blocks, length)` before and after.

    Args:
        recipe: Of a trial.
        blocks: Text without padding; each begins with [CLS], and lines end with [SEP].
        tokenizer_json: What made ids of it.
        seed: Decides everything drawn.

    Raises:
        UnknownName: Nothing that can be used has that name.
    """
    (part,) = recipe.standing("augmentation")
    settings = SLOTS["augmentation"].kinds[part.kind].settings_of(part)
    return AUGMENTATIONS[part.kind](blocks, tokenizer_json, seed, **settings)
