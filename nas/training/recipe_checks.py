"""What each value of a recipe may be, and the words for one that may not."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from nas.evaluation.suites.glue import glue_task, glue_tasks
from search_spaces.errors import InvalidExperiment

_PER_TASK = ("epochs", "steps", "batch", "learning_rate")


def read_tasks(names: object, own: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the names of tasks, those of GLUE as it spells them."""
    if not all(
        isinstance(listed, list | tuple) and all(isinstance(name, str) for name in listed)
        for listed in (names, own)
    ):
        raise InvalidExperiment(
            f"tasks is {names!r}, but must be a list of task names such as [cola, rte], "
            "with at least one of them."
        )
    if not own:
        return tuple(task.name for task in glue_tasks(names))
    found = tuple(name if name in own else glue_task(name).name for name in names)
    if len(set(found)) < len(found):
        raise InvalidExperiment(f"A task is named twice among {', '.join(found)}. Name each once.")
    return found


def read_number(value: object) -> object:
    """Return the number that a text is: YAML reads 5e-4 as one."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def read_per_task(settings: object, own: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Return what differs for each task, checked."""
    if not isinstance(settings, Mapping) or not all(
        isinstance(own, Mapping) for own in settings.values()
    ):
        raise InvalidExperiment(
            f"per_task is {settings!r}, but must name tasks and what differs for them, such as "
            "{rte: {learning_rate: 5e-4, epochs: 10}}."
        )
    for task, own in settings.items():
        for key in own:
            if key not in _PER_TASK:
                raise InvalidExperiment(
                    f"per_task says {key!r} of {task}, which no fine-tuning has. "
                    f"Allowed: {', '.join(_PER_TASK)}."
                )
    return {
        (task if task in own else glue_task(task).name): {
            key: read_number(value) if key == "learning_rate" else value
            for key, value in own.items()
        }
        for task, own in settings.items()
    }


def check_whole(name: str, value: object, *, at_least: int, or_none: bool = False) -> None:
    """Check that a value is a whole number of a least size, or None where that is allowed."""
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value < 2**63:
        raise InvalidExperiment(
            f"{name} is {value!r}, but must be a whole number of at least {at_least}"
            f"{' (or null for no limit)' if or_none else ''}. Change it in the recipe."
        )


def check_range(name: str, value: object, low: float, high: float, ends: str) -> None:
    """Check that a value is a number in a range; `ends` says which ends belong to it."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # a NaN fails these comparisons
    above = number and (value >= low if ends[0] == "[" else value > low)
    below = number and (value <= high if ends[1] == "]" else value < high)
    if not (above and below):
        lowest = f"at least {low:g}" if ends[0] == "[" else f"above {low:g}"
        highest = f"at most {high:g}" if ends[1] == "]" else f"below {high:g}"
        raise InvalidExperiment(
            f"{name} is {value!r}, but must be a number {lowest} and {highest}. "
            "Change it in the recipe."
        )


def check_choice(name: str, value: object, allowed: tuple) -> None:
    """Check that a value is one of those allowed."""
    if value not in allowed:
        close = get_close_matches(str(value), [str(a) for a in allowed], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise InvalidExperiment(
            f"{name} is {value!r}.{hint} Allowed: {', '.join(map(str, allowed))}. "
            "Change it in the recipe."
        )
