"""Tasks by name, whichever suite they are of: an experiment's names become files to read."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.evaluation.suites.files import Suite, SuiteTask, has_glue, in_folder, there
from nas.evaluation.suites.glue import GLUE, glue_task, plain
from nas.evaluation.suites.nep_glue import NEP_GLUE
from nas.evaluation.suites.own import OWN_DATA, TaskSettings, as_tasks
from nas.evaluation.suites.superglue import SUPERGLUE
from search_spaces.errors import InvalidData, InvalidExperiment, UnknownName

SUITES: dict[str, Suite] = {suite.name: suite for suite in (SUPERGLUE, NEP_GLUE)}
_ROWS: dict[str, tuple[SuiteTask, Suite]] = {
    plain(task.name): (task, suite) for suite in SUITES.values() for task in suite.tasks
}
# Why a suite decides nothing in a search, by its name.
EVALUATION_ONLY = {
    "advglue": "AdvGLUE is for evaluation only: it has neither training examples nor a part to "
    "choose by, and what is chosen by a test says nothing afterwards. Score what was found: nas "
    "evaluate FOLDER --suite advglue --data dev.json",
}
# What an experiment calls data that is no directory.
_NO_FOLDER = ("glue-mini", "hub", OWN_DATA)


def is_suite_task(name: str) -> bool:
    """Whether a task of that name is one of a suite whose tasks are files."""
    return plain(name) in _ROWS


def suite_tasks(data: str | None, names: Sequence[object]) -> list[object]:
    """Return `names` with tasks of suites as their files; GLUE's and what is no name stay.

    Args:
        data: The directory that holds the suite; other data has none.
        names: Of tasks, or of a whole suite, in any usual spelling; and tasks of one's own.

    Raises:
        UnknownName: No suite has a task of that name.
        InvalidData: A folder or a file is missing.
    """
    found: list[object] = []
    for name in names:
        if not isinstance(name, str) or _is_glue(name):
            found.append(name)
        elif plain(name) in SUITES:
            found += _whole(SUITES[plain(name)], data)
        elif plain(name) in EVALUATION_ONLY:
            raise InvalidExperiment(f"{name} is no task. {EVALUATION_ONLY[plain(name)]}")
        elif plain(name) in _ROWS:
            task, suite = _ROWS[plain(name)]
            found.append(in_folder(task, suite, _directory(data, suite, name)))
        else:
            raise UnknownName(
                "task", name, [*GLUE, *(task.name for task, _ in _ROWS.values()), *SUITES]
            )
    return found


def with_suite_tasks(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment's settings with the files of tasks that are of a suite.

    Without tasks, a directory that holds no task of GLUE gives those of the suites it holds.

    Raises:
        NasError: As `suite_tasks`.
    """
    tasks, data = as_tasks(settings.get("tasks")), settings.get("data")
    if isinstance(tasks, list | tuple) and tasks:
        found = suite_tasks(data, tasks)
    elif not tasks and isinstance(data, str) and data not in _NO_FOLDER:
        found = list(_all_there(Path(data)))
    else:
        return dict(settings)
    if len(found) == len(tasks or ()) and all(map(operator.is_, found, tasks or ())):
        return dict(settings)  # nothing of a suite
    if all(isinstance(task, TaskSettings) for task in found):
        settings = {**settings, "data": OWN_DATA}
    return {**settings, "tasks": found}


def _all_there(directory: Path) -> Iterable[TaskSettings]:
    if has_glue(directory):
        return
    for suite in SUITES.values():
        for task in there(suite, directory):
            yield in_folder(task, suite, directory)


def _is_glue(name: str) -> bool:
    try:
        glue_task(name)
    except UnknownName:
        return False
    return True


def _whole(suite: Suite, data: str | None) -> list[TaskSettings]:
    directory = _directory(data, suite, suite.name)
    found = [in_folder(task, suite, directory) for task in there(suite, directory)]
    if not found:
        listed = ", ".join(task.folder for task in suite.tasks)
        raise InvalidData(
            f"{directory} holds no task of {suite.title}. It needs a folder such as {listed}, each "
            "with its train and its val file."
        )
    return found


def _directory(data: str | None, suite: Suite, name: str) -> Path:
    if data is None or data in _NO_FOLDER:
        listed = ", ".join(task.folder for task in suite.tasks)
        raise InvalidData(
            f"{name} is of {suite.title}, which the data {data or 'glue-mini'!r} does not have. "
            f"Give the folder that holds it ({listed}) with --data DIR."
        )
    return Path(data)
