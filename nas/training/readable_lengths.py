"""How long a text a checkpoint reads: a recipe for its cuts must keep within its positions."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment

if TYPE_CHECKING:
    from nas.teachers.checkpoint import Checkpoint

_LENGTHS = ("max_length", "block_length")


def within_positions(
    recipe: Recipe,
    asked: Mapping[str, Any],
    checkpoint: "Checkpoint",
    say: Callable[[str], None] = lambda line: None,
) -> Recipe:
    """Return the recipe with lengths that the checkpoint has positions for.

    Args:
        recipe: For its cuts.
        asked: The settings of the recipe that were given; the others are defaults, which are
            lowered where they are above.
        checkpoint: What is cut.
        say: Called with what was lowered.

    Raises:
        InvalidExperiment: A length that was asked for is above.
    """
    most = checkpoint.max_length
    above = {name: getattr(recipe, name) for name in _LENGTHS if getattr(recipe, name) > most}
    for name, value in above.items():
        if name in asked:
            raise InvalidExperiment(
                f"recipe.{name} is {value}, and the checkpoint {str(checkpoint.folder)!r} has "
                f"positions for {most} tokens. Set it to {most} or less, or leave it out."
            )
    if above:
        listed = " and ".join(f"{name} {value}" for name, value in above.items())
        say(f"The checkpoint has positions for {most} tokens: {listed} became {most}.")
    return replace(recipe, **dict.fromkeys(above, most))
