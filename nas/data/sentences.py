"""Sentences to answer: a file of a task with or without labels, or plain lines of text."""

from pathlib import Path

from nas.data.glue import file_lines
from nas.data.tables import Split
from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidData


def read_sentences(path: str | Path, task: Task) -> Split:
    """Read what `task` is to answer; labels are not read.

    A first line with the official column names makes it a file of the official layout. Otherwise
    each line is an example, with a tab between the sentences of a pair.

    Args:
        path: The file.
        task: Says whether examples have one sentence or two, and in which columns.

    Raises:
        InvalidData: The file is missing, empty, no text, or a line has too few or many columns.
    """
    lines = file_lines(Path(path))
    header = lines[0].split("\t")
    headed = all(name in header for name in task.columns)
    places = [header.index(name) for name in task.columns] if headed else range(len(task.columns))
    width = len(header) if headed else len(task.columns)
    columns: list[list[str]] = [[] for _ in task.columns]
    for number, line in enumerate(lines[headed:], start=1 + headed):
        fields = line.split("\t")
        if len(fields) != width:
            wanted = "one sentence" if width == 1 else f"{width} columns, with tabs between them,"
            raise InvalidData(
                f"{path}, line {number}: {len(fields)} columns, and {task.name} needs {wanted} "
                f"a line, or a first line with the names {', '.join(task.columns)}."
            )
        for column, place in zip(columns, places, strict=True):
            column.append(fields[place])
    if not columns[0]:
        raise InvalidData(f"{path} has no examples, only a first line. Give one a line.")
    return Split(columns[0], columns[1] if task.is_pair else None, None)
