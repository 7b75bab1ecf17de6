"""From a user's files to a task and its examples, with everything that is wrong with them said.

Nothing is trained, and nothing written, before all of it is right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.arrays import values_of
from nas.data.own.choices import answers_column, choice_names, read_choices
from nas.data.own.columns import IDS, Columns, find_columns
from nas.data.own.formats import read_table, row_word, splits_of
from nas.data.own.label_kinds import READERS
from nas.data.own.labels import kind_of
from nas.data.own.span_columns import KIND as SPAN
from nas.data.own.span_columns import SpanColumns
from nas.data.own.spans import span_names, span_split
from nas.data.own.splitting import split_off
from nas.data.own.text_columns import text_column, words_column
from nas.data.own.texts import Texts
from nas.data.tables import Split, TaskData
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.metrics import METRICS
from nas.evaluation.suites.own import TaskSettings
from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidData, InvalidExperiment

if TYPE_CHECKING:
    import pyarrow as pa

# What saved datasets call the part to choose by. That to test on is never taken for it.
_DEV_SPLITS = ("validation", "dev", "valid", "val")
_TEST_SPLIT = "test"


@dataclass(frozen=True)
class OwnTask:
    """A task of the user's own, read.

    Attributes:
        data: The task and its examples.
        columns: What its columns are.
        places: Split -> where it came from, in words.
        warnings: What is not wrong and should be known.
    """

    data: TaskData
    columns: Columns
    places: Mapping[str, str]
    warnings: tuple[str, ...]


def read_own_task(settings: TaskSettings, seed: int = 0) -> OwnTask:
    """Read all files of a task.

    Args:
        settings: Which files, and what was said of them.
        seed: Decides which examples are split off where there is no dev file.

    Raises:
        InvalidData: A file is missing or malformed, or has no text, no label, or none that can be
            learned; the message names the file and, where there is one, the row.
        UnknownName: A column, kind or metric that there is not.
        InvalidExperiment: A metric does not go with the kind.
    """
    train_place, dev_place = settings.train, settings.dev
    tables = {"train": read_table(train_place, "train")}
    columns = find_columns(tables["train"], settings, train_place)
    names = splits_of(train_place)
    if dev_place is None and names:
        found = next((name for name in _DEV_SPLITS if name in names), None)
        if found is not None:
            tables["dev"] = read_table(train_place, found)
            dev_place = f"{train_place} ({found})"
    elif dev_place is not None:
        tables["dev"] = read_table(dev_place, "validation")
    test_place = settings.test
    if test_place is not None:
        tables["test"] = read_table(test_place, _TEST_SPLIT)
    elif _TEST_SPLIT in names and settings.dev is None:
        tables["test"] = read_table(train_place, _TEST_SPLIT)
        test_place = f"{train_place} ({_TEST_SPLIT})"
    places = {"train": train_place, "dev": dev_place or train_place, "test": test_place or ""}
    for split, table in tables.items():
        _require_columns(table, columns, places[split], labelled=split != "test")
        _require_ids_once(table, columns, places[split])
    task = _task(settings, columns, tables["train"])
    splits = {name: _split(table, columns, task, places[name]) for name, table in tables.items()}
    texts = dict(places)
    if "dev" not in splits:
        splits["train"], splits["dev"], how = split_off(splits["train"], seed, train_place)
        texts["dev"] = how
        if names:
            texts["dev"] += f", for it has no {_DEV_SPLITS[0]} among {', '.join(names)}"
    if "test" in splits:
        kept = "scored once, at the end" if splits["test"].labels is not None else "no labels"
        texts["test"] = f"{places['test']}, {kept}"
    warnings = _leaks(splits, places)
    data = TaskData(
        name=task.name,
        train=splits["train"],
        dev={"dev": splits["dev"]},
        test={name: split for name, split in splits.items() if name == "test"},
        row=task,
    )
    return OwnTask(data, columns, {name: texts[name] for name in splits}, tuple(warnings))


def read_for(row: Task, settings: TaskSettings, seed: int = 0) -> TaskData:
    """Return the examples of a task that a model was trained on, to score the model on them.

    Args:
        row: The task.
        settings: Its files. With one file alone, this file is scored.
        seed: Of the training, which decides what was split off.

    Raises:
        InvalidData: As `read_own_task`; or a label is none of the model's.
    """
    if settings.dev is None:
        split = read_split(settings.train, row)
        return TaskData(row.name, split, {"dev": split}, row=row)
    splits = {name: read_split(file, row) for name, file in settings.files.items()}
    test = {name: split for name, split in splits.items() if name == "test"}
    return TaskData(row.name, splits["train"], {"dev": splits["dev"]}, test, row)


def read_split(place: str, row: Task) -> Split:
    """Return the labelled examples of one file of a task that is known.

    Raises:
        InvalidData: It cannot be read, a column is missing, or a label is none of the task's.
    """
    table = read_table(place)
    columns = Columns(row.columns, row.label, (), row.choices, row.kind == SPAN, row.start)
    _require_columns(table, columns, place, labelled=True)
    return _split(table, columns, row, place)


def _require_columns(table: "pa.Table", columns: Columns, place: str, *, labelled: bool) -> None:
    wanted = [*columns.text, *columns.choices]
    wanted += [columns.label, columns.start] if labelled else []
    for name in filter(None, wanted):
        if name not in table.column_names:
            raise InvalidData(
                f"{place} has no column {name!r}, which the training file has. Columns found: "
                f"{', '.join(table.column_names)}. Name the columns of all files alike."
            )


def _require_ids_once(table: "pa.Table", columns: Columns, place: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in columns.others:
        if name.strip().lower() not in IDS or name not in table.column_names or not name.strip():
            continue
        column = table[name]
        if not pa.types.is_nested(column.type) and (
            _all_differ(column)
            or pc.count_distinct(column).as_py() == len(column) - column.null_count
        ):
            continue  # nearly always; the rows are only needed where one stands twice
        values = column.to_pylist()
        first: dict[object, int] = {}
        for number, value in enumerate(values, 1):
            if value is not None and first.setdefault(str(value), number) != number:
                word = row_word(place)
                raise InvalidData(
                    f"{place}, {word} {number}: the {name} {str(value)!r:.60} stands in {word} "
                    f"{first[str(value)]}, too. Delete one of the two, or rename the column if it "
                    "is no id."
                )


def _all_differ(column: "pa.ChunkedArray") -> bool:
    """Whether values are rising whole numbers: far less work than to look for each text."""
    import pyarrow as pa

    last = None
    for part in column.chunks:
        if part.null_count:
            return False
        try:
            numbers = values_of(part.cast(pa.int64()))
        except pa.ArrowInvalid:
            return False
        if len(numbers):
            if last is not None and numbers[0] <= last or (np.diff(numbers) <= 0).any():
                return False
            last = numbers[-1]
    return True


def _task(settings: TaskSettings, columns: Columns, table: "pa.Table") -> Task:
    """Return the row of the task, as its training file shows it."""
    place, word = settings.train, row_word(settings.train)
    usual = SPAN if columns.span else "choice" if columns.choices else None
    kind = settings.kind or usual or kind_of(table[columns.text[0]], table[columns.label])
    found = TASK_KINDS[kind]
    metrics = settings.metrics or found.metrics
    for name in metrics:
        if name not in found.allowed:
            known = "" if name in METRICS else " There is no such metric."
            raise InvalidExperiment(
                f"The metric {name!r} of the task {settings.name!r} does not go with "
                f"{found.title}.{known} Allowed: {', '.join(found.allowed)}."
            )
    if columns.span:
        spans = SpanColumns(columns.text, columns.label, columns.start)
        names = span_names(table, spans, place, word)
    elif columns.choices:
        answers = answers_column(table, columns.choices, None, place, word)
        names = choice_names(
            table[columns.label], answers, columns.choices, columns.label, place, word
        )
    else:
        names = READERS[kind].names(table[columns.label], columns.label, place, word)
    task = Task(
        name=settings.name,
        folder="",
        columns=columns.text,
        label=columns.label,
        labels=names,
        metrics=tuple(metrics),
        source=", ".join(Path(file).name for file in settings.files.values()),
        test={},
        kind=kind,
        own=True,
        language=settings.language,
        choices=columns.choices,
        start=columns.start,
    )
    found.check(task)
    return task


def _split(table: "pa.Table", columns: Columns, task: Task, place: str) -> Split:
    if task.kind == SPAN:
        return span_split(table, task, place, row_word(place))
    if task.choices:
        return choice_split(table, task, place)
    word, words = row_word(place), task.kind == "words"
    read = words_column if words else text_column
    texts = [read(table[name], name, place, word) for name in columns.text]
    labels = None
    if columns.label in table.column_names:
        labels = READERS[task.kind].read(table[columns.label], task, place, word)
    if words and labels is not None:
        _require_a_label_each(table, columns, place, word)
    second = Texts(texts[1:]) if len(texts) > 1 and not words else None
    return Split(Texts(texts[:1]), second, labels, words)


def choice_split(table: "pa.Table", task: Task, place: str) -> Split:
    """Return what is asked and the answers of a file, with the right ones where it says them.

    Raises:
        InvalidData: Something of it is missing or not as in the training file.
    """
    word = row_word(place)
    texts = [text_column(table[name], name, place, word) for name in task.columns]
    answers = answers_column(table, task.choices, len(task.labels), place, word)
    labels = None
    if task.label in table.column_names:
        labels = read_choices(table[task.label], answers, task, place, word)
    return Split(Texts(texts), None, labels, choices=Texts([answers]))


def _require_a_label_each(table: "pa.Table", columns: Columns, place: str, word: str) -> None:
    import pyarrow.compute as pc

    counts = [pc.list_value_length(table[n]).to_numpy() for n in (columns.text[0], columns.label)]
    wrong = np.flatnonzero(counts[0] != counts[1])
    if len(wrong):
        row = int(wrong[0])
        raise InvalidData(
            f"{place}, {word} {row + 1}: {counts[0][row]} words in {columns.text[0]!r} and "
            f"{counts[1][row]} labels in {columns.label!r}. Give every word one label."
        )


def _leaks(splits: Mapping[str, Split], places: Mapping[str, str]) -> list[str]:
    """Say how many examples of a split to score on are in the training part, too."""
    found = []
    for name in ("dev", "test"):
        if name not in splits:
            continue
        count = int(_stand_in(splits[name], splits["train"]).sum())
        if count:
            found.append(
                f"Warning: {count:,} of {len(splits[name]):,} texts of {name} ({places[name]}) "
                "stand in the training examples, too: scores on them say little"
            )
    return found


def _stand_in(split: Split, train: Split) -> np.ndarray:
    """Return which examples of a split are among the training examples, `(n,)` bool."""
    alone = split.second is None and split.choices is None and not split.words
    if alone and isinstance(split.first, Texts) and isinstance(train.first, Texts):
        return split.first.found_in(train.first)
    return np.isin(_keys(split), _keys(train))


def _keys(split: Split) -> np.ndarray:
    """Return a number for each example, the same where its texts are, `(n,)`."""
    if split.choices is not None:
        found = (hash((t, *many)) for t, many in zip(split.first, split.choices, strict=True))
    elif split.second is not None:
        found = map(hash, zip(split.first, split.second, strict=True))
    else:
        found = map(hash, map(tuple, split.first) if split.words else split.first)
    return np.fromiter(found, np.int64, len(split))
