"""Reads the official GLUE files: one folder a task, tab-separated, no quoting."""

from pathlib import Path

import numpy as np

from nas.data.tables import Split, TaskData
from nas.evaluation.suites.glue import GLUE, Task, glue_task, plain
from search_spaces.errors import InvalidData


def available_tasks(directory: str | Path) -> list[str]:
    """Return the names of the GLUE tasks that have a folder in `directory`, in GLUE's order.

    Raises:
        InvalidData: The directory is missing or holds no task.
    """
    folders = _folders(Path(directory))
    found = [name for name, task in GLUE.items() if plain(task.folder) in folders]
    if not found:
        raise InvalidData(
            f"{directory} holds no GLUE task. It needs a folder such as "
            f"{', '.join(task.folder for task in GLUE.values())}, each with its train and dev file."
        )
    return found


def read_task(directory: str | Path, task: Task | str, *, test: bool = False) -> TaskData:
    """Read the training and development files of one task.

    Folder names may differ from the official ones in case and hyphens ("sst2" for "SST-2").

    Args:
        directory: The folder that holds one folder per task.
        task: A task, or the name of a GLUE task.
        test: Read the unlabelled test files too, where they exist.

    Raises:
        InvalidData: A directory or file is missing, empty or malformed; the message names the
            file and, where there is one, the line.
    """
    task = glue_task(task) if isinstance(task, str) else task
    folders = _folders(Path(directory))
    if plain(task.folder) not in folders:
        raise InvalidData(
            f"Task {task.name!r} needs the folder {Path(directory) / task.folder}, which does not "
            f"exist. Folders found: {', '.join(p.name for p in folders.values()) or 'none'}. "
            "Add it, or leave the task out with --tasks."
        )
    folder = folders[plain(task.folder)]
    return TaskData(
        name=task.name,
        train=read_split(folder / task.train, task, skip_broken=True),
        dev={name: read_split(folder / file, task) for name, file in task.dev.items()},
        test={
            name: read_split(folder / file, task, labelled=False)
            for name, file in task.test.items()
            if test and (folder / file).exists()
        },
    )


def read_split(
    path: str | Path, task: Task, *, labelled: bool = True, skip_broken: bool = False
) -> Split:
    """Read one file of `task`.

    Args:
        path: The file.
        task: Says which columns hold the sentences and the label.
        labelled: Whether the file has labels; official test files have none.
        skip_broken: Skip as many rows that are too short as the official file is known to hold.
            For training alone: elsewhere answers are told apart by the places of their rows.

    Raises:
        InvalidData: As `read_task`.
    """
    path = Path(path)
    lines = file_lines(path)
    # CoLA has no header line except in its test file
    headed = not task.header or not labelled
    columns = lines.pop(0).split("\t") if headed and lines else list(task.header)
    if not lines:
        raise InvalidData(f"{path} has no examples. Put back the official file, one row a line.")
    places = [_place(path, columns, name) for name in task.columns]
    label_place = _place(path, columns, task.label) if labelled else -1
    first: list[str] = []
    second: list[str] = []
    labels: list[float] = []
    known = {label: number for number, label in enumerate(task.labels)}
    broken = 0
    for number, line in enumerate(lines, start=2 if headed else 1):
        fields = line.split("\t")
        if len(fields) != len(columns):
            broken += 1
            if skip_broken and len(fields) < len(columns) and broken <= task.broken_rows:
                continue
            raise InvalidData(
                f"{path}, line {number}: {len(fields)} columns, expected {len(columns)} "
                f"({', '.join(columns)}). Columns are separated by one tab; correct or delete "
                "the line."
            )
        first.append(fields[places[0]])
        if task.is_pair:
            second.append(fields[places[1]])
        if labelled:
            text = fields[label_place]
            value = known.get(text) if known else _number(text, task)
            if value is None:
                allowed = ", ".join(task.labels) or "numbers from {} to {}".format(
                    *task.label_range
                )
                raise InvalidData(
                    f"{path}, line {number}: label {text!r} in column {task.label!r} is not "
                    f"allowed. Allowed: {allowed}. Correct or delete the line."
                )
            labels.append(value)
    kind = np.float32 if task.is_regression else np.int64
    return Split(
        first, second if task.is_pair else None, np.array(labels, dtype=kind) if labelled else None
    )


def _folders(directory: Path) -> dict[str, Path]:
    if not directory.is_dir():
        what = "is a file, not a directory" if directory.exists() else "does not exist"
        raise InvalidData(
            f"The data directory {directory} {what}. Give the folder that holds CoLA, SST-2, …, "
            "or glue-mini, or hub."
        )
    return {plain(path.name): path for path in sorted(directory.iterdir()) if path.is_dir()}


def file_lines(path: Path) -> list[str]:
    """Return the lines of a text file, the last ones only if they are not blank.

    Raises:
        InvalidData: The file is missing, empty, or no UTF-8 text.
    """
    if not path.is_file():
        beside = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        raise InvalidData(
            f"The file {path} does not exist. Files found beside it: "
            f"{', '.join(beside) or 'none'}. Put the official file there."
        )
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")  # MRPC begins with a byte order mark
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidData(
            f"{path}, line {line}: not UTF-8 text (byte {error.start}). Convert the file to UTF-8."
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InvalidData(
            f"{path}, line {line}: a NUL character, so this is no text. Put back the official "
            "file, or convert it to UTF-8."
        )
    if not text.strip():
        raise InvalidData(f"{path} is empty. Put back the official file, one row a line.")
    # only "\n" ends a row: str.splitlines would also split inside a sentence, at U+2028 and others
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _place(path: Path, columns: list[str], name: str) -> int:
    if name not in columns:
        raise InvalidData(
            f"{path} has no column {name!r}. Columns found: {', '.join(columns)}. The first line "
            "must name the official columns, separated by tabs."
        )
    return columns.index(name)


def _number(text: str, task: Task) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    low, high = task.label_range
    return value if low <= value <= high else None
