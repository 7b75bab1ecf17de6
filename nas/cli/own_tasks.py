"""The options that name a user's own tasks, the same for every command that trains or scores."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nas.evaluation.suites.own import TaskSettings

_OPTIONS = (
    click.option(
        "--task",
        "own",
        multiple=True,
        metavar="[NAME=]TRAIN[,DEV[,TEST]]",
        help="A task of your own: CSV, TSV, JSON lines, Parquet; repeatable.",
    ),
    click.option("--text", "own_text", help="Its text column, or several: premise,hypothesis."),
    click.option("--label", "own_label", help="Its label column."),
    click.option("--choices", "own_choices", help="Its columns of answers to choose among."),
)


def OWN_TASKS(command: Callable) -> Callable:  # noqa: N802  a decorator like click's own
    """Give a command the options --task, --text, --label and --choices."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_own_tasks(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with the tasks of one's own among "tasks", as an experiment names them.

    Raises:
        InvalidExperiment: A task that is none, or a column where there is not one task.
    """
    left = {name: value for name, value in options.items() if name not in _NAMES}
    own = [task.model_dump() for task in own_settings(options)]
    if own:
        named = [name.strip() for name in (left.get("tasks") or "").split(",") if name.strip()]
        left["tasks"] = [*named, *own]
    return left


_NAMES = ("own", "own_text", "own_label", "own_choices")


def own_settings(options: Mapping[str, Any]) -> "list[TaskSettings]":
    """Return what --task, --text, --label and --choices name.

    Raises:
        InvalidExperiment: As `take_own_tasks`.
    """
    from nas.evaluation.suites.own import parse_task
    from search_spaces.errors import InvalidExperiment

    texts, text, label, choices = (options[name] for name in _NAMES)
    if (text or label or choices) and len(texts) != 1:
        raise InvalidExperiment(
            "--text, --label and --choices name columns of one --task. Where there are several, "
            "name their columns in a file: tasks: [{train: FILE, text: COLUMN, label: COLUMN}]."
        )
    return [parse_task(t, text=text, label=label, choices=choices) for t in texts]
