"""Reading the files of prepared data, which may come with a run from elsewhere.

Whatever is missing, damaged or does not fit together is one message before anything is trained on
it: an id beyond the vocabulary would otherwise end in the middle of a training.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.encoding import EncodedSplit
from nas.data.minimal_pairs import EncodedPairs
from nas.data.tokenizer import Tokenizer
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.glue import GLUE
from nas.evaluation.suites.task import Task
from search_spaces.documents import read_json_file
from search_spaces.errors import InvalidData, NasError

VERSION = 1
EXCERPTS = ".excerpts.json"  # how the names of files with beginnings of texts end
_NAME = re.compile(r"\w[\w\-]*")  # of tasks and splits: they become names of files
_LARGEST_VOCABULARY = 10_000_000


def read_index(directory: Path) -> dict[str, Any]:
    """Return what prepared.json says: "vocabulary_size", "tasks" with their splits, "own".

    "own" has the rows of the user's own tasks by name, "floors" what counting words reaches on
    them; nothing in data without any.

    Raises:
        InvalidData: It is missing, damaged, or of another version.
    """
    try:
        index = read_json_file(directory / "prepared.json", InvalidData)
    except (OSError, InvalidData) as error:
        raise InvalidData(
            f"{directory} holds no prepared data ({error}). Prepare it again."
        ) from None
    version = index.get("version") if isinstance(index, dict) else None
    if version != VERSION:
        raise InvalidData(
            f"{directory} was prepared in format {version!r}; this version reads {VERSION}. "
            "Prepare it again."
        )
    size, tasks = index.get("vocabulary_size"), index.get("tasks")
    if type(size) is not int or not 0 < size <= _LARGEST_VOCABULARY:
        raise _damaged(directory / "prepared.json", f"its vocabulary_size is {size!r}")
    if not isinstance(tasks, dict) or not all(
        isinstance(splits, list) and all(_is_name(name) for name in (task, *splits))
        for task, splits in tasks.items()
    ):
        raise _damaged(directory / "prepared.json", "its tasks are not names with lists of splits")
    floors = index.get("floors", {})
    if not isinstance(floors, dict) or not all(
        isinstance(found, dict) and all(_is_number(value) for value in found.values())
        for found in floors.values()
    ):
        raise _damaged(directory / "prepared.json", "its floors are no numbers by task")
    pairs = index.get("pairs", {})
    if not isinstance(pairs, dict) or not all(
        _is_name(name) and isinstance(files, list) and all(isinstance(f, str) for f in files)
        for name, files in pairs.items()
    ):
        raise _damaged(directory / "prepared.json", "its pairs are not names with lists of files")
    own = _own_rows(directory, index.get("own", []), tasks)
    return {**index, "own": own, "floors": floors, "pairs": pairs}


def read_encoded_pairs(
    files: Sequence[str], sentences: EncodedSplit, directory: Path
) -> EncodedPairs:
    """Return minimal pairs from their parts.

    Raises:
        InvalidData: The parts do not fit together.
    """
    labels = sentences.labels
    if len(labels) % 2 or set(np.unique(labels)) != set(range(len(files))):
        raise _damaged(directory / "prepared.json", "its pairs are not those of its files")
    return EncodedPairs(tuple(files), sentences)


def read_excerpts(directory: Path, name: str, count: int) -> tuple[str, ...]:
    """Return the beginnings of the texts of a split; none where they were not kept.

    Args:
        directory: The folder of prepared data.
        name: Of task and split.
        count: How many examples there are.

    Raises:
        InvalidData: The file is damaged, or is of other examples.
    """
    path = directory / f"{name}{EXCERPTS}"
    if not path.is_file():
        return ()
    found = read_json_file(path, InvalidData)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise _damaged(path, "it holds no list of texts")
    if len(found) != count:
        raise _damaged(path, f"it holds {len(found)} texts of {count} examples")
    return tuple(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _own_rows(directory: Path, rows: Any, tasks: Mapping[str, Any]) -> dict[str, Task]:
    """Return the rows of own tasks, each of a kind that is here and of a task that is there."""
    found = {}
    try:
        for values in rows:
            task = Task.from_dict(values)
            TASK_KINDS[task.kind].check(task)
            if task.name not in tasks or task.name in GLUE:
                raise ValueError(f"{task.name!r} is none of its own tasks")
            found[task.name] = task
    except (NasError, ValueError, TypeError) as error:
        raise _damaged(directory / "prepared.json", f"its own tasks: {error}") from None
    unknown = [name for name in tasks if name not in found and name not in GLUE]
    if unknown and rows:
        raise _damaged(directory / "prepared.json", f"it says nothing of {unknown[0]}")
    return found


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def read_tokenizer(directory: Path, vocabulary_size: int | None = None) -> str:
    """Return the text of tokenizer.json.

    Args:
        directory: The folder of prepared data.
        vocabulary_size: How many ids it must have; None takes any number.

    Raises:
        InvalidData: It is missing, no UTF-8, no tokenizer, or one of another size.
    """
    path = directory / "tokenizer.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from None
    try:
        found = Tokenizer.from_json(text).vocabulary_size
    except InvalidData as error:
        raise _damaged(path, str(error)[:200]) from None
    if vocabulary_size not in (None, found):
        raise _damaged(path, f"it has {found} ids, and prepared.json says {vocabulary_size}")
    return text


def read_array(
    directory: Path, name: str, *, mmap: bool, dimensions: tuple[int, ...] | int | None = None
) -> np.ndarray:
    """Return an array of whole numbers, or of floats where its name says "labels".

    Raises:
        InvalidData: The file is missing, no array, or one of another kind or shape.
    """
    path = directory / f"{name}.npy"
    try:
        found = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except Exception as error:  # noqa: BLE001  numpy lets through whatever its parser meets
        raise _damaged(path, f"{type(error).__name__}: {str(error)[:200]}") from None
    kinds = "f" if name.endswith(".labels") else "iu"
    if not isinstance(found, np.ndarray) or found.dtype.kind not in kinds:
        kind = getattr(found, "dtype", type(found).__name__)
        raise _damaged(path, f"it holds {kind}")
    allowed = dimensions if isinstance(dimensions, tuple) else (dimensions or 1,)
    if found.ndim not in allowed:
        raise _damaged(path, f"it has the shape {found.shape}")
    return found


def check_tasks(
    tasks: Mapping[str, Mapping[str, np.ndarray]],
    directory: Path,
    needed: Iterable[str] = (),
    own: Mapping[str, Task] | None = None,
) -> None:
    """Check that every task has its splits, and every split labels that the task knows.

    Args:
        tasks: Task name -> split name -> labels.
        directory: Where they come from.
        needed: Tasks that must be among them.
        own: Rows of the user's own tasks.

    Raises:
        InvalidData: A task or split is not there, or a label is none of the task's.
    """
    absent = [name for name in needed if name not in tasks]
    if absent:
        raise _damaged(directory / "prepared.json", f"it has no task {absent[0]}")
    for name, splits in tasks.items():
        task = (own or {}).get(name) or GLUE.get(name)
        wanted = {"train", *(task.dev if task else ())}
        if not wanted <= set(splits):
            lacking = ", ".join(sorted(wanted - set(splits)))
            raise _damaged(directory / "prepared.json", f"{name} has no split {lacking}")
        for split, labels in splits.items():
            path = directory / f"{name}.{split}.labels.npy"
            if not len(labels) or not np.isfinite(labels).all():
                raise _damaged(path, "it lacks labels")
            wrong = TASK_KINDS[task.kind].check_labels(task, labels) if task else None
            if wrong:
                raise _damaged(path, wrong)


def check_ids(ids: np.ndarray, vocabulary_size: int, path: Path) -> None:
    """Check that all ids are in the vocabulary.

    Raises:
        InvalidData: One is not.
    """
    if ids.size and not (ids.min() >= 0 and ids.max() < vocabulary_size):
        raise _damaged(path, f"it has the ids {ids.min()} to {ids.max()} of {vocabulary_size}")


def check_split(arrays: Sequence[np.ndarray], vocabulary_size: int, path: Path) -> None:
    """Check that a split's tokens, offsets, second_start and labels belong to each other.

    Raises:
        InvalidData: They do not.
    """
    tokens, offsets, second, labels = arrays
    lengths = np.diff(offsets.astype(np.int64))
    if not (
        len(offsets) == len(second) + 1
        and (len(labels) in (len(second), len(tokens)) or _are_choices(labels, second))
        and offsets[0] == 0
        and offsets[-1] == len(tokens)
        and (lengths >= 0).all()
        and ((second >= 0) & (second <= lengths)).all()
    ):
        raise _damaged(path, "its arrays do not fit together")
    check_ids(tokens, vocabulary_size, path)


def check_passages(
    split: EncodedSplit, questions: np.ndarray, places: np.ndarray, path: Path
) -> None:
    """Check that what is said of a split's windows and their tokens belongs to it.

    Raises:
        InvalidData: It does not.
    """
    if len(questions) != len(split.second_start) or places.shape != (len(split.tokens), 2):
        raise _damaged(path, "its windows do not fit together")


def _are_choices(labels: np.ndarray, second: np.ndarray) -> bool:
    return labels.ndim == 1 and 0 < len(labels) < len(second) and not len(second) % len(labels)


def _damaged(path: Path, why: str) -> InvalidData:
    return InvalidData(f"{path} cannot be read ({why}). Prepare the data again, or use a copy.")
