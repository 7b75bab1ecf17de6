"""Which tasks a search fine-tunes at which fidelity, checked."""

from collections.abc import Sequence
from typing import Protocol

from nas.evaluation.suites.glue import GLUE
from search_spaces.errors import InvalidExperiment, UnknownName


class Planned(Protocol):
    """What of an experiment decides it."""

    fidelity: str
    fidelities: Sequence[float]
    fidelity_tasks: Sequence[Sequence[str]]
    task_names: Sequence[str]


def check_fidelity_tasks(experiment: "Planned", wanted: Sequence[str]) -> None:
    """Refuse tasks of fidelities that do not fit the rest of an experiment.

    Args:
        experiment: Which has such tasks.
        wanted: Names of its objectives and of what its constraints are about.

    Raises:
        InvalidExperiment: Too many or too few lists, or a list that lacks what the search needs.
        UnknownName: A task that the experiment does not have.
    """
    below = experiment.fidelities[:-1] if experiment.fidelity != "full" else ()
    if len(experiment.fidelity_tasks) != len(below):
        raise InvalidExperiment(
            f"fidelity_tasks has {len(experiment.fidelity_tasks)} lists of tasks, but the fidelity "
            f"rule {experiment.fidelity!r} has {len(below)} fidelities below the whole budget. "
            "Give one list for each of those, or leave fidelity_tasks out."
        )
    known = experiment.task_names or tuple(GLUE)
    for share, tasks in zip(below, experiment.fidelity_tasks, strict=True):
        for name in tasks:
            if name not in known:
                raise UnknownName("task of this experiment", name, known)
        missing = [name for name in wanted if name in known and name not in tasks]
        if not tasks or missing:
            raise InvalidExperiment(
                f"fidelity_tasks has {', '.join(tasks) or 'nothing'} at fidelity {share:g}, but "
                f"the search needs {', '.join(missing) or 'a task'} there. Add it to that list."
            )
