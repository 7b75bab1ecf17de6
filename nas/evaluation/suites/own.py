"""A user's own task as an experiment names it: its files, and what is to be said of them."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from nas.evaluation.measured import name_is_taken
from nas.evaluation.suites.glue import GLUE
from search_spaces.errors import InvalidExperiment

OWN_DATA = "own"  # the data of an experiment whose tasks are all the user's own
HUB = "hub:"  # what the name of a dataset of the hub begins with
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
# File names that say nothing of a task: its folder's name does.
_SAY_NOTHING = frozenset(("train", "training", "data", "dataset", "all"))
_COSTS = ("parameters", "flops", "latency_ms", "peak_memory_mb", "seconds")
_LISTS = ("text", "choices", "metrics")


class TaskSettings(BaseModel):
    """One task of a user's own.

    Attributes:
        name: Of the task: the column of its score, and the folder of its model.
        train: File of the training examples, a saved dataset's folder, or "hub:" and a name.
        dev: File to score on; None splits a part off the training examples.
        test: File that nothing is chosen by, scored with the exported model.
        text: Columns with the text, or the texts; none finds them by name and content.
        label: Column with the label; None finds it.
        choices: Of a choice among answers, the columns with them: one of lists, or one for each
            answer; none finds them.
        start: Of spans of texts, the column with the first character of each answer; None finds
            it.
        kind: Kind of task; None tells it from the labels.
        metrics: What counts; none takes those of the kind.
        language: Of the texts, as a code of two letters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    train: str
    dev: str | None = None
    test: str | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    choices: tuple[str, ...] = ()
    start: str | None = None
    kind: str | None = None
    metrics: tuple[str, ...] = ()
    language: str = "en"

    @property
    def files(self) -> dict[str, str]:
        """Split -> file, of those that were given."""
        found = {"train": self.train, "dev": self.dev, "test": self.test}
        return {split: file for split, file in found.items() if file is not None}


def parse_task(said: str, /, **more: Any) -> TaskSettings:
    """Return the task that `[NAME=]TRAIN[,DEV[,TEST]]` says.

    Raises:
        InvalidExperiment: It says something else.
    """
    name, sign, files = said.partition("=")
    if not sign or "/" in name:  # a path may have a "=" of its own
        name, files = "", said
    parts = [part.strip() for part in files.split(",")]
    if not all(parts) or len(parts) > 3:
        raise InvalidExperiment(
            f"--task {said!r} is no task. Write [NAME=]TRAIN[,DEV[,TEST]], such as "
            "reviews=train.csv,dev.csv."
        )
    given = dict(zip(("train", "dev", "test"), parts, strict=False))
    return read_task_settings({"name": name or None, **given, **more})


def read_task_settings(values: Mapping[str, Any]) -> TaskSettings:
    """Return the task that a mapping of an experiment describes.

    Raises:
        InvalidExperiment: A key or a value that is not allowed.
    """
    known = list(TaskSettings.model_fields)
    for key in values:
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InvalidExperiment(f"A task has no key {key!r}.{hint} Keys: {', '.join(known)}.")
    given = {key: value for key, value in values.items() if value not in (None, "", [], ())}
    if "train" not in given:
        raise InvalidExperiment(
            "A task of your own needs train: the file with its training examples."
        )
    for key in _LISTS:
        if isinstance(given.get(key), str):
            given[key] = [part.strip() for part in given[key].split(",") if part.strip()]
    for key, value in given.items():
        texts = value if key in _LISTS else [value]
        if not isinstance(texts, list | tuple) or not all(isinstance(t, str) for t in texts):
            wanted = "a list of texts" if key in _LISTS else "a text"
            raise InvalidExperiment(f"{key} of a task is {value!r}, but must be {wanted}.")
    if "name" not in given:
        given["name"] = name_of(given["train"])
    _check_name(given["name"])
    return TaskSettings.model_validate(given)


def name_of(file: str) -> str:
    """Return what a task is called after its training file: letters, digits and "_"."""
    path = Path(file.removeprefix(HUB))
    stem = path.name.split(".")[0]
    if stem.lower() in _SAY_NOTHING:
        stem = path.resolve().parent.name
    plain = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:50]
    name = plain if plain[:1].isalpha() else f"task_{plain}".rstrip("_")
    return f"own_{name}" if _is_taken(name) else name


def _is_taken(name: str) -> bool:
    return name in GLUE or name in ("glue", "score", *_COSTS) or name_is_taken(name)


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise InvalidExperiment(
            f"A task cannot be called {name!r}: a name has small letters, digits and _ and begins "
            f"with a letter, such as {name_of(str(name))!r}."
        )
    if _is_taken(name):
        what = "a task of GLUE" if name in GLUE else "a column of every table"
        raise InvalidExperiment(
            f"A task cannot be called {name!r}, which is {what}. Name it otherwise: "
            f"own_{name}=FILE."
        )


def as_tasks(value: object) -> object:
    """Return names of GLUE's tasks, and one's own read from what an experiment says of them.

    Raises:
        InvalidExperiment: As `read_task_settings`.
    """
    if isinstance(value, Mapping | TaskSettings):
        value = [value]
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not _is_list(value):
        return value
    return [read_task_settings(v) if isinstance(v, Mapping) else v for v in value]


def with_own_tasks(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with what tasks of one's own decide: the data, and the score to maximise.

    Raises:
        InvalidExperiment: Data is named, and no task of it; or a task is named twice.
    """
    tasks = as_tasks(settings.get("tasks"))
    own = [t for t in tasks or () if isinstance(t, TaskSettings)] if _is_list(tasks) else []
    if not own:
        return settings
    names = [t.name if isinstance(t, TaskSettings) else t for t in tasks]
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise InvalidExperiment(
            f"Two tasks are called {twice[0]!r}. Name one otherwise: --task NAME=FILE."
        )
    settings = {**settings, "tasks": tasks}
    if len(own) == len(tasks):
        if settings.get("data", OWN_DATA) != OWN_DATA:
            raise InvalidExperiment(
                f"data is {settings['data']!r}, and no task of it is named beside "
                f"{', '.join(names)}. Name some with --tasks, or leave data out."
            )
        settings["data"] = OWN_DATA
    usual = {"score": "max", "parameters": "min", "latency_ms": "min"}
    return {"objectives": usual, **settings}


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)
