"""The option that names suites which every encoder is scored on, of what trains."""

from collections.abc import Sequence

import click

from search_spaces.errors import InvalidExperiment

MEASURED_SUITES = click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="NAME=FOLDER",
    help="Score each encoder on a suite, too: blimp=FOLDER; repeatable.",
)


def suites_of(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return suite -> settings from texts such as "blimp=FOLDER".

    Raises:
        InvalidExperiment: A text says something else.
    """
    found = {}
    for text in texts:
        name, sign, place = text.partition("=")
        if not sign or not place.strip():
            raise InvalidExperiment(
                f"--suite {text!r} names no folder. Write NAME=FOLDER, such as blimp=blimp_data."
            )
        found[name.strip()] = {"data": place.strip()}
    return found
