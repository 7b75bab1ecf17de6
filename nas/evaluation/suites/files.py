"""Suites whose tasks are files in folders of their own: what a row says, and how it is found.

A task of such a suite is read as a user's own task is, with columns and metrics that its row says.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nas.evaluation.suites.glue import GLUE, plain
from nas.evaluation.suites.own import TaskSettings
from search_spaces.errors import InvalidData


@dataclass(frozen=True)
class SuiteTask:
    """One task of a suite of files.

    Attributes:
        name: Short lower-case name, as in an experiment file and a table of results.
        folder: Folder of the official layout.
        text: The text columns.
        label: The label column.
        kind: Name in `nas.evaluation.kinds.TASK_KINDS`.
        metrics: The official ones; the task's score is their mean.
        source: Authors, title and venue.
        train: What the file of the training examples is called, without its ending.
        dev: The same of the labelled part to score on, in the order of preference.
        choices: Columns of the answers to choose among; none of other kinds.
        language: Of the texts, as a code of two letters.
    """

    name: str
    folder: str
    text: tuple[str, ...]
    label: str
    kind: str
    metrics: tuple[str, ...]
    source: str
    train: tuple[str, ...] = ("train",)
    dev: tuple[str, ...] = ("val", "validation", "dev")
    choices: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True)
class Suite:
    """A named list of such tasks.

    Attributes:
        name: As `--tasks` takes it, for all of its tasks.
        title: For people.
        tasks: The rows.
        source: Authors, title and venue.
    """

    name: str
    title: str
    tasks: tuple[SuiteTask, ...]
    source: str


def in_folder(task: SuiteTask, suite: Suite, directory: Path) -> TaskSettings:
    """Return where the files of a task are.

    Folder names may differ from the official ones in case and hyphens.

    Raises:
        InvalidData: The directory, the folder or a file is not there.
    """
    folders = folders_of(directory, suite)
    folder = folders.get(plain(task.folder))
    if folder is None:
        raise InvalidData(
            f"Task {task.name!r} of {suite.title} needs the folder {directory / task.folder}, "
            f"which does not exist. Folders found: "
            f"{', '.join(p.name for p in folders.values()) or 'none'}. Add it, or leave the task "
            "out with --tasks."
        )
    return TaskSettings(
        name=task.name,
        train=_file(folder, task.train, task),
        dev=_file(folder, task.dev, task),
        text=task.text,
        choices=task.choices,
        label=task.label,
        kind=task.kind,
        metrics=task.metrics,
        language=task.language,
    )


def there(suite: Suite, directory: Path) -> list[SuiteTask]:
    """Return the tasks of a suite that have a folder in `directory`, with a file for each part."""
    if not directory.is_dir():
        return []
    folders = folders_of(directory, suite)
    return [
        task
        for task in suite.tasks
        if plain(task.folder) in folders
        and all(_files(folders[plain(task.folder)], stems) for stems in (task.train, task.dev))
    ]


def has_glue(directory: Path) -> bool:
    """Whether a directory holds a task of GLUE, in the layout of GLUE."""
    if not directory.is_dir():
        return False
    known = {plain(task.folder): task for task in GLUE.values()}
    return any(
        plain(path.name) in known and (path / known[plain(path.name)].train).is_file()
        for path in directory.iterdir()
    )


def folders_of(directory: Path, suite: Suite) -> dict[str, Path]:
    """Return the folders in a directory by their plain names.

    Raises:
        InvalidData: There is no such directory.
    """
    if not directory.is_dir():
        what = "is a file, not a directory" if directory.exists() else "does not exist"
        listed = ", ".join(task.folder for task in suite.tasks)
        raise InvalidData(
            f"The data directory {directory} {what}. Give the folder that holds those of "
            f"{suite.title} ({listed}) with --data."
        )
    return {plain(path.name): path for path in sorted(directory.iterdir()) if path.is_dir()}


def _files(folder: Path, stems: Iterable[str]) -> list[Path]:
    """Return the files called `stems`, whatever their endings, in the order of `stems`."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [path for stem in stems for path in files if path.name.partition(".")[0] == stem]


def _file(folder: Path, stems: tuple[str, ...], task: SuiteTask) -> str:
    found = _files(folder, stems)
    if not found:
        beside = ", ".join(sorted(path.name for path in folder.iterdir())) or "none"
        raise InvalidData(
            f"Task {task.name!r} needs the file {folder / stems[0]}.jsonl (or .csv, .tsv, "
            f".parquet{', …' if len(stems) == 1 else f', or {stems[1]} for {stems[0]}'}), which "
            f"does not exist. Files found beside it: {beside}. Put it there."
        )
    return str(found[0])
