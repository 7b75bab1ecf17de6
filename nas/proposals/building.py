"""The policy that an experiment names, built the same by the driver, its helper and a replay."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nas.config import COSTS, Experiment, parse_constraint
from nas.evaluation.derived import OBJECTIVES
from nas.evaluation.mean_score import mean_name
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
    trained = (mean_name(recipe.tasks), *recipe.tasks, *experiment.suites, *COSTS, *OBJECTIVES)
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


def run_space(name: str | Mapping[str, Any], recipe: "Recipe") -> Space:
    """Return the space of a run: the named one, with what its recipe leaves open.

    Args:
        name: As `load_space` takes it.
        recipe: The run's.

    Raises:
        InvalidExperiment: A field is open in the space and in the recipe, no architecture may
            choose a field that the space leaves open, or the space has no place for choices.
        NasError: There is no such space.
    """
    from nas.training.aliases import ALIASES, refuse_both
    from nas.training.finetuning_rules import refuse_in_search

    space = load_space(name)
    definition = getattr(space, "definition", None)
    offered = {} if definition is None else definition.recipe_options
    even = definition is None or definition.shared != "nothing" or len(definition.widths) == 1
    refuse_in_search(recipe, offered.get("finetuning", ()), even=even)
    both = sorted(set(offered) & set(recipe.open))
    if both:
        raise InvalidExperiment(
            f"{both[0]} is open in the space {name!r} and in the recipe. Leave one of them out."
        )
    if offered:  # refuses what cannot be open, and values that are not allowed
        refuse_both((*offered, *recipe.open, *recipe.slots), f"the space {name!r} and the recipe")
        fields = {k: v for k, v in recipe.to_dict().items() if k not in ALIASES}
        type(recipe).from_dict({**fields, "open": {**recipe.open, **offered}})
    if not recipe.open:
        return space
    if definition is None:
        raise InvalidExperiment(
            f"The recipe leaves {', '.join(recipe.open)} open, and the space {name!r} is no YAML "
            "space, so that its architectures cannot choose. Use a YAML space, or give one value."
        )
    # what the space begins with chooses nothing of what is open now
    opened = replace(definition, recipe={**offered, **recipe.open}, first=())
    return FlexiBertSpace(opened, space.name)


def refuse_given_twice(experiment: Experiment) -> None:
    """Check that nothing of the recipe is given in the experiment and left open in the space.

    Args:
        experiment: As it was written, not resolved: a resolved one gives every field.

    Raises:
        InvalidExperiment: Something is; the message says which to leave out.
        NasError: There is no such space.
    """
    from nas.training.aliases import ALIASES

    offered = _offered(experiment.space)
    for name in experiment.recipe:
        alias = ALIASES.get(name)
        beside = [a for a, of in ALIASES.items() if of.slot == name]
        for other in (name, *([alias.slot] if alias else []), *beside):
            if other in offered:
                same = "" if other == name else f", of which {name} is an alias"
                same = f", an alias of a setting of {name}" if other in beside else same
                raise InvalidExperiment(
                    f"{name} is {experiment.recipe[name]!r} in the experiment, and the space "
                    f"{experiment.space!r} offers {other}{same}: {', '.join(offered[other])}. "
                    f"Leave {name} out of the experiment's recipe, or {other} out of the space."
                )


def without_offered(
    space: str | Mapping[str, Any], recipe: dict[str, Any], defaults: "Recipe"
) -> dict[str, Any]:
    """Return a resolved recipe without the defaults of what a space leaves open.

    So the experiment that lies in a run says of them what was written: nothing.
    """
    from nas.training.aliases import ALIASES

    offered = _offered(space)
    usual = defaults.to_dict()
    return {
        name: value
        for name, value in recipe.items()
        if not (name in offered or (name in ALIASES and ALIASES[name].slot in offered))
        or usual.get(name) != value
    }


def _offered(space: str | Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a space leaves open of the recipe, positions among it, as texts."""
    definition = getattr(load_space(space), "definition", None)
    if definition is None:
        return {}
    found = {name: [str(v) for v in of] for name, of in definition.recipe_options.items()}
    positions = dict(definition.model).get("positions")
    return {**found, "positions": [str(part) for part in positions]} if positions else found


def run_policy(experiment: Experiment, vocabulary_size: int | None) -> "Policy":
    """Return the policy of a run's resolved experiment, fresh.

    Args:
        experiment: As it lies in the run.
        vocabulary_size: Entries of the run's tokenizer; None takes the recipe's.
    """
    from nas.training.recipe import Recipe

    recipe = Recipe.from_dict(experiment.recipe)
    return build_policy(experiment, recipe, vocabulary_size or recipe.vocabulary_size)
