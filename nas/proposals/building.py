"""The policy that an experiment names, built the same by the driver, its helper and a replay."""

from typing import TYPE_CHECKING

from nas.config import COSTS, Experiment, parse_constraint
from nas.evaluation.derived import OBJECTIVES
from search_spaces import load_space
from search_spaces.errors import UnknownName
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
        load_space(experiment.space),
        dict(experiment.objectives),
        seed=experiment.seed,
        constraints=experiment.constraints,
        options=options,
    )


def run_policy(experiment: Experiment, vocabulary_size: int | None) -> "Policy":
    """Return the policy of a run's resolved experiment, fresh.

    Args:
        experiment: As it lies in the run.
        vocabulary_size: Entries of the run's tokenizer; None takes the recipe's.
    """
    from nas.training.recipe import Recipe

    recipe = Recipe.from_dict(experiment.recipe)
    return build_policy(experiment, recipe, vocabulary_size or recipe.vocabulary_size)
