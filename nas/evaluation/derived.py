"""Objectives of one's own: numbers computed from what a trial measured.

An objective is one function. Registered here (or through the entry point "nas.objectives" of
another package, installed where the workers are), every trial records its value under its name, and
a search can optimise it: `--objective glue:max,NAME:min`.
"""

from collections.abc import Callable, Mapping

from search_spaces import Architecture
from search_spaces.errors import TrialError
from search_spaces.registry import Registry

# Takes the architecture and all scores and costs of the trial; returns a finite number.
DerivedValue = Callable[[Architecture, Mapping[str, float]], float]

OBJECTIVES: Registry[DerivedValue] = Registry("objective", group="nas.objectives")


def derived_values(architecture: Architecture, values: Mapping[str, float]) -> dict[str, float]:
    """Return every registered objective's value for one trial.

    Raises:
        TrialError: An objective's name is that of something a trial measures anyway.
    """
    found = {}
    for name, objective in OBJECTIVES.items():
        if name in values:
            raise TrialError(
                f"The objective {name!r} has the name of a score or cost that every trial has. "
                "Register it under another name."
            )
        found[name] = float(objective(architecture, values))
    return found
