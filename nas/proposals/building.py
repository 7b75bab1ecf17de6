"""The policy that an experiment names, built the same by the driver, its helper and a replay."""

from dataclasses import replace
from typing import TYPE_CHECKING

from nas.config import COSTS, Experiment, parse_constraint
from nas.evaluation.derived import OBJECTIVES
from search_spaces import FlexiBertSpace, Space, load_space
from search_spaces.errors import InvalidExperiment, UnknownName
from surrogates import make_policy

if TYPE_CHECKING:
    from nas.training.recipe import Recipe
    from surrogates.policy import Policy


def build_policy(experiment: Experiment, recipe: "Recipe", vocabulary_size: int) -> "Policy":
    """Return the experiment's policy, fresh.

    Args:
        experiment: Names the policy, the space and the objectives.
        recipe: Says which tasks are trained and how large the models' tables are.
        vocabulary_size: Entries of the run's tokenizer, for exact parameter counts.

    Raises:
        NasError: An unknown policy, space, option or objective.
    """
    trained = ("glue", *recipe.tasks, *COSTS, *OBJECTIVES)
    wanted = (*experiment.objectives, *(parse_constraint(c)[0] for c in experiment.constraints))
    for name in wanted:
        if name not in trained and not experiment.execution.trial_function:
            raise UnknownName("objective of this experiment", name, trained)
    options = {
        "vocabulary_size": vocabulary_size,
        "max_length": max(recipe.max_length, recipe.block_length),
        "length": recipe.max_length,
        "positions": recipe.positions,
        **experiment.policy_options,
        **({} if experiment.fidelity == "full" else {"fidelities": experiment.fidelities}),
    }
    return make_policy(
        experiment.policy,
        run_space(experiment.space, recipe),
        dict(experiment.objectives),
        seed=experiment.seed,
        constraints=experiment.constraints,
        options=options,
    )


def run_space(name: str, recipe: "Recipe") -> Space:
    """Return the space of a run: the named one, with what its recipe leaves open.

    Args:
        name: As `load_space` takes it.
        recipe: The run's.

    Raises:
        InvalidExperiment: A field is open in the space and in the recipe, no architecture may
            choose a field that the space leaves open, or the space has no place for choices.
        NasError: There is no such space.
    """
    space = load_space(name)
    definition = getattr(space, "definition", None)
    offered = {} if definition is None else definition.recipe_options
    both = sorted(set(offered) & set(recipe.open))
    if both:
        raise InvalidExperiment(
            f"{both[0]} is open in the space {name!r} and in the recipe. Leave one of them out."
        )
    if offered:  # refuses what cannot be open, and values that are not allowed
        type(recipe).from_dict({**recipe.to_dict(), "open": {**recipe.open, **offered}})
    if not recipe.open:
        return space
    if definition is None:
        raise InvalidExperiment(
            f"The recipe leaves {', '.join(recipe.open)} open, and the space {name!r} is no YAML "
            "space, so that its architectures cannot choose. Use a YAML space, or give one value."
        )
    opened = replace(definition, recipe={**offered, **recipe.open})
    return FlexiBertSpace(opened, space.name)


def run_policy(experiment: Experiment, vocabulary_size: int | None) -> "Policy":
    """Return the policy of a run's resolved experiment, fresh.

    Args:
        experiment: As it lies in the run.
        vocabulary_size: Entries of the run's tokenizer; None takes the recipe's.
    """
    from nas.training.recipe import Recipe

    recipe = Recipe.from_dict(experiment.recipe)
    return build_policy(experiment, recipe, vocabulary_size or recipe.vocabulary_size)
