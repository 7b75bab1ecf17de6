"""What must hold before a search begins: found out before data is read or anything is made."""

from collections.abc import Iterable, Mapping
from typing import Any

from nas.config import Execution, Experiment
from nas.evaluation.measured import name_is_taken
from nas.execution.trial_function import trial_function
from nas.proposals.building import build_policy
from nas.single.confirm import require_teacher
from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment


def require_possible(experiment: Experiment, changes: Mapping[str, Any] | None = None) -> None:
    """Check what an experiment asks of its engine, its trial function and its objectives.

    Args:
        experiment: To be started or continued.
        changes: What a resume changes; None for a new run. Of an old one only these are looked at,
            but for the trial function.

    Raises:
        InvalidExperiment: Something that no trial could meet; the message says what to change.
    """
    require_teacher(experiment, experiment.finalist_longer)
    execution = experiment.execution
    if execution.trial_function is not None:
        trial_function(execution.trial_function)
    if execution.engine == "inline":
        new = set(_NOT_INLINE) if changes is None else set(changes.get("execution") or ())
        _refuse_what_only_ray_does(execution, new)
    if execution.dashboard is not None and execution.address is not None:
        raise InvalidExperiment(
            f"dashboard is {execution.dashboard}, but Ray runs at the address "
            f"{execution.address!r}, and the dashboard of a cluster is started with its head. "
            "Leave dashboard out, or the address."
        )
    for name in experiment.objectives if changes is None else ():
        if name_is_taken(name) and name != "seconds":
            raise InvalidExperiment(
                f"The objective {name!r} is what a column of every table of trials is called, and "
                "no trial may return it. Rename it here and in the trial function."
            )


# What the engine inline does not do -> values that ask for nothing else than what it does.
_NOT_INLINE: dict[str, tuple[object, ...]] = {
    "address": (None,),
    "max_concurrent": (None, 1),
    "gpus_per_trial": ("auto", 0),  # 0 has the recipe take the CPU
    "dashboard": (None,),
}


def _refuse_what_only_ray_does(execution: Execution, names: Iterable[str]) -> None:
    for name, harmless in _NOT_INLINE.items():
        value = getattr(execution, name)
        if name in names and value not in harmless:
            raise InvalidExperiment(
                f"{name} is {value!r}, but the engine is inline, which runs one trial after "
                f"another in this process, on the recipe's device. Leave {name} out, or take the "
                "engine ray."
            )


def require_candidates(experiment: Experiment, recipe: Recipe, vocabulary_size: int) -> None:
    """Check that something in the space meets the constraints that are known without training.

    Raises:
        InvalidExperiment: The policy finds nothing to propose.
    """
    policy = build_policy(experiment, recipe, vocabulary_size)
    exact = [constraint for constraint in policy.constraints if constraint.exact]
    if exact and not policy.ask(1):
        wanted = ", ".join(experiment.constraints)
        raise InvalidExperiment(
            f"No encoder of the space {experiment.space!r} meets {wanted}. Loosen the constraints, "
            f"or see what there is with: nas space sample {experiment.space}"
        )
