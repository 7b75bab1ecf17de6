"""Whether results of several runs mean the same, so that they can be ranked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from search_spaces.errors import RunError

__all__ = ["require_alike", "unlike"]

# What a trial's scores depend on beside its architecture; names of settings, or of groups of them.
_MEASURING = ("tasks", "data", "corpus", "recipe", "fidelity")
# Of these, what decides only which tasks a mean is over.
_WHICH_TASKS = ("tasks", "recipe.tasks", "recipe.own_tasks")
# Columns that an architecture alone decides.
_COUNTED = ("parameters", "flops")


def unlike(
    settings: Mapping[str, Mapping[str, Any]], objectives: Iterable[str], tasks: Sequence[set[str]]
) -> dict[str, Mapping[str, Any]]:
    """Return the settings for which values of `objectives` differ in meaning between runs.

    Args:
        settings: Setting to its value in each run, for those that differ.
        objectives: Columns that are to be ranked.
        tasks: The tasks of each run: one that all have is the same task in each, unless settings
            describe the files of tasks of one's own.
    """
    differ = {k: v for k, v in settings.items() if k.partition(".")[0] in _MEASURING}
    trained = [name for name in objectives if name not in _COUNTED]
    if not trained:
        return {}
    given = [v for key in _WHICH_TASKS for v in (differ.get(key) or {}).values()]
    named = not any(isinstance(task, Mapping) for value in given for task in value or ())
    if named and all(all(name in own for own in tasks) for name in trained):
        return {k: v for k, v in differ.items() if k not in _WHICH_TASKS}
    return differ


def require_alike(
    settings: Mapping[str, Mapping[str, Any]],
    objectives: Iterable[str],
    tasks: Sequence[set[str]],
    where: str,
) -> None:
    """Check that runs can be ranked by `objectives`.

    Raises:
        RunError: They were not measured alike; the message says in what, and what can be ranked.
    """
    objectives = list(objectives)
    found = unlike(settings, objectives, tasks)
    if not found:
        return
    listed = "; ".join(
        f"{key}: " + ", ".join(f"{run} {_short(value)}" for run, value in values.items())
        for key, values in list(found.items())[:4]
    )
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    common = sorted(set.intersection(*tasks)) if tasks else []
    only = all(key in _WHICH_TASKS for key in found) and common
    rank = f"{common[0]}:max" if only else "parameters:min"
    raise RunError(
        f"{where[0].upper()}{where[1:]} cannot be ranked by {', '.join(objectives)}: their trials "
        f"were not measured alike ({listed}{more}). "
        + (f"Tasks in common: {', '.join(common)}. " if only else "")
        + f"Rank by what is common, such as {rank}, or take each run by itself: nas compare "
        "--unranked, or by='run' in Python."
    )


def _short(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
