"""`--set KEY=VALUE`: any setting of an experiment from the command line, by its place in a file."""

from collections.abc import Mapping
from typing import Any

import click

from search_spaces.errors import InvalidExperiment

# The search without arguments promises 8 minutes: what starts before this ends before that.
# Its finalists fit in there, too; another search has them where it asks for them.
WITHOUT_ARGUMENTS = {"time": "450s", "trials": 9, "finalists": 1}

SET = click.option(
    "--set",
    "changes_of_settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting of an experiment file, such as recipe.max_length=128; repeatable.",
)


def with_set(settings: Mapping[str, Any], texts: tuple[str, ...]) -> dict[str, Any]:
    """Return settings with changes such as "recipe.max_length=128"; values are YAML.

    Entries of lists go by their number from 0: "tasks.0.kind=span".

    Raises:
        InvalidExperiment: A text has no "=", its value is no YAML, or what stands above its key is
            no mapping.
    """
    from search_spaces.documents import read_yaml

    found = dict(settings)
    for text in texts:
        key, sign, value = text.partition("=")
        names = key.strip().split(".")
        if not sign or not all(names):
            raise InvalidExperiment(
                f"--set {text!r} is no setting. Write KEY=VALUE with dots between the levels of a "
                "file, such as recipe.max_length=128 or trials=20."
            )
        place: Any = found
        for name in names[:-1]:
            number = _entry(place, name, text)
            inner = place[number] if isinstance(place, list) else place.get(name)
            if inner is not None and not isinstance(inner, Mapping | list | tuple):
                raise InvalidExperiment(
                    f"--set {text!r}: {name} is {inner!r:.60}, which has no settings below it."
                )
            place[number] = list(inner) if isinstance(inner, list | tuple) else dict(inner or {})
            place = place[number]
        last = _entry(place, names[-1], text)
        place[last] = read_yaml(value, f"--set {text}", InvalidExperiment)
    return found


def _entry(place: Any, name: str, text: str) -> str | int:
    """Return a key of a mapping as it is, and that of a list as a number.

    Raises:
        InvalidExperiment: The list has no such entry.
    """
    if not isinstance(place, list):
        return name
    # a number of thousands of digits is none that Python reads
    if not name.isdecimal() or len(name) > 9 or int(name) >= len(place):
        raise InvalidExperiment(
            f"--set {text[:200]!r}: {name[:60]!r} is no entry of a list of {len(place)}. Count "
            "from 0."
        )
    return int(name)
