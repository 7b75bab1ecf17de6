"""Whether a recipe goes with the architectures it is to train: told when both are read.

What a kind of architecture cannot be trained with stands with the kind, in `Kind.refuses`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from nas.training.causal_rules import check_causal
from nas.training.recipe import Recipe
from search_spaces.architectures.architecture import Architecture, parts_of
from search_spaces.errors import InvalidArchitecture, InvalidExperiment
from search_spaces.kinds import RECIPE_SLOTS, require_together
from search_spaces.library import load_space
from search_spaces.parts import Part
from search_spaces.recipes import flattened, read_phases

if TYPE_CHECKING:
    from nas.config import Experiment


def require_fitting_space(recipe: Recipe, experiment: "Experiment") -> None:
    """Check that every architecture of an experiment's space can be trained with its recipe.

    Raises:
        InvalidExperiment: One could not; the message has the reason and what can stand beside it.
    """
    definition = getattr(load_space(experiment.space), "definition", None)
    if definition is None or experiment.execution.trial_function is not None:
        return
    chosen = definition.recipe_options.get("objective", ())
    _require(recipe, definition.offered, "The space", chosen)
    several = definition.shared == "nothing" and len(definition.widths) > 1
    for part in _parts(recipe, "finetuning") if several else ():
        if part.kind == "meft":
            raise InvalidExperiment(
                f"finetuning is {str(part)!r}, whose two streams are as wide in every layer, and "
                f"the space offers the widths {', '.join(map(str, definition.widths))} in each. "
                "Give finetuning: lora, or a space with shared: width."
            )


def require_fitting(recipe: Recipe, architecture: Architecture) -> None:
    """Check that an architecture can be trained with a recipe.

    Raises:
        InvalidExperiment: It cannot; the message has the reason and what can stand beside it.
    """
    _require(recipe, parts_of(architecture), architecture.short)


def _require(
    recipe: Recipe,
    offered: Sequence[tuple[str, Part]],
    where: str,
    objectives: Iterable[str] = (),
) -> None:
    trained = [(slot, part) for slot in RECIPE_SLOTS for part in _parts(recipe, slot)]
    try:
        require_together([*offered, *trained], where)
    except InvalidArchitecture as error:
        raise InvalidExperiment(f"{error} Leave one of the two out.") from None
    asked = [part for slot, part in trained if slot == "objective"]
    for text in objectives:
        asked += flattened(read_phases("objective", text))
    check_causal(asked, recipe.pooling, offered, where)


def _parts(recipe: Recipe, slot: str) -> Iterator[Part]:
    """Yield what stands in a slot of a recipe, or may be chosen for it."""
    if slot not in recipe.open:
        yield from recipe.standing(slot)
        return
    for text in recipe.open[slot]:
        yield from flattened(read_phases(slot, text))
