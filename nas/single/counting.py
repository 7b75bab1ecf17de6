"""A run's space, with what is counted of its encoders: parameters, and the constraints on them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from search_spaces import Architecture, count_parameters, load_space
from search_spaces.constraints import make_accept, parse_constraint
from search_spaces.space import Space

if TYPE_CHECKING:
    from nas.runs.directory import Run


def counting(
    run: "Run",
) -> tuple[Space, Callable[[Architecture], float], Callable[[Architecture], bool]]:
    """Return a run's space, what counts parameters as its trials do, and what is allowed.

    Constraints on what has to be measured allow everything here.
    """
    from nas.training.recipe import Recipe

    recipe = Recipe.from_dict(run.experiment.recipe)
    options = {
        "vocabulary_size": run.model_options.get("vocabulary_size", recipe.vocabulary_size),
        "max_length": max(recipe.max_length, recipe.block_length),
        "positions": recipe.positions,
    }
    constraints = [parse_constraint(text) for text in run.experiment.constraints]
    exact = [constraint for constraint in constraints if constraint.exact]
    allowed = make_accept(exact, length=recipe.max_length, **options)

    def parameters(architecture: Architecture) -> float:
        return float(count_parameters(architecture, **options))

    return load_space(run.experiment.space), parameters, allowed
