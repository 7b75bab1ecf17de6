"""The data of a run, ready to train on: one tokenizer, blocks of ids, encoded tasks.

Every trial of the run reads the same arrays, from a folder that can be memory-mapped.
`nas.data.preparation` makes them, once.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nas.data.encoding import EncodedSplit
from nas.data.minimal_pairs import EncodedPairs
from nas.data.passages import Passages
from nas.data.prepared_files import (
    EXCERPTS,
    VERSION,
    check_ids,
    check_passages,
    check_split,
    check_tasks,
    read_array,
    read_encoded_pairs,
    read_excerpts,
    read_index,
    read_tokenizer,
)
from nas.data.tokenizer import Tokenizer
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.glue import glue_task
from nas.evaluation.suites.task import Task
from nas.whole_files import write_whole

TEACHER = "teacher"  # the folder beside a run's data
TEST = "test"  # the split that nothing is chosen by
_ARRAYS = ("tokens", "offsets", "second_start", "labels")
_PAIRS = "pairs"
_DIMENSIONS = {"labels": (1, 2)}


@dataclass(frozen=True)
class PreparedData:
    """Everything a trial trains on.

    Attributes:
        tokenizer_json: The tokenizer, as in tokenizer.json.
        vocabulary_size: How many ids there are.
        pretrain: Blocks of running text, `(blocks, block_length)`; each begins with [CLS], lines
            inside it end with [SEP], and none is padded.
        validation: Blocks held out from `pretrain`, the same shape.
        tasks: Task name -> split name ("train", "dev"; for MNLI "matched", "mismatched") -> split.
            A user's own task may have "test", which is scored once nothing is left to choose.
        teacher: Folder of the trained encoder that every trial is cut from, and of what it answers;
            a run keeps it beside its data. None where trials start from nothing.
        own: Those of the tasks that are the user's own, by name; the others are GLUE's.
        floors: What counting words reaches on them, by name; see `nas.evaluation.tfidf`.
        pairs: Minimal pairs of the suites that every trial is scored on, by name.
    """

    tokenizer_json: str
    vocabulary_size: int
    pretrain: np.ndarray
    validation: np.ndarray
    tasks: dict[str, dict[str, EncodedSplit]]
    teacher: Path | None = None
    own: Mapping[str, Task] = field(default_factory=dict)
    floors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pairs: Mapping[str, EncodedPairs] = field(default_factory=dict)

    def rows(self, names: Iterable[str] | None = None) -> list[Task]:
        """Return the tasks called `names`, in that order; None takes all."""
        wanted = self.tasks if names is None else names
        return [self.own.get(name) or glue_task(name) for name in wanted]

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, ready to encode."""
        return Tokenizer.from_json(self.tokenizer_json)

    def save(self, directory: str | Path) -> None:
        """Write the folder that `load` reads: JSON and one .npy file per array."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "tokenizer.json").write_text(self.tokenizer_json, encoding="utf-8")
        np.save(directory / "pretrain.npy", self.pretrain)
        np.save(directory / "validation.npy", self.validation)
        for name, splits in self.tasks.items():
            for split, data in splits.items():
                for array in _ARRAYS:
                    np.save(directory / f"{name}.{split}.{array}.npy", getattr(data, array))
                if data.passages is not None:
                    data.passages.save(directory, f"{name}.{split}")
                if data.excerpts:
                    text = json.dumps(list(data.excerpts), ensure_ascii=False)
                    write_whole(directory / f"{name}.{split}{EXCERPTS}", text)
        index = {
            "version": VERSION,
            "vocabulary_size": self.vocabulary_size,
            "tasks": {name: list(splits) for name, splits in self.tasks.items()},
        }
        if self.own:
            index["own"] = [task.to_dict() for task in self.own.values()]
            index["floors"] = {name: dict(found) for name, found in self.floors.items()}
        for name, found in self.pairs.items():
            for array in _ARRAYS:
                np.save(directory / f"{_PAIRS}.{name}.{array}.npy", getattr(found.sentences, array))
        if self.pairs:
            index[_PAIRS] = {name: list(found.names) for name, found in self.pairs.items()}
        # written last: a folder with an index is complete
        write_whole(directory / "prepared.json", json.dumps(index, indent=1))

    @classmethod
    def load(
        cls, directory: str | Path, *, mmap: bool = True, needed: Iterable[str] = ()
    ) -> "PreparedData":
        """Read a folder written by `save`.

        Args:
            directory: The folder.
            mmap: Share the arrays with other processes instead of copying them into memory.
            needed: Tasks that it must hold.

        Raises:
            InvalidData: The folder holds no complete prepared data of this version.
        """
        directory = Path(directory)
        index = read_index(directory)
        size = index["vocabulary_size"]
        pretrain, validation = (
            read_array(directory, name, mmap=mmap, dimensions=2)
            for name in ("pretrain", "validation")
        )
        if not mmap:  # else looking at each id would read it all
            check_ids(pretrain, size, directory / "pretrain.npy")
            check_ids(validation, size, directory / "validation.npy")

        def split(name: str) -> EncodedSplit:
            arrays = [
                read_array(directory, f"{name}.{part}", mmap=mmap, dimensions=_DIMENSIONS.get(part))
                for part in _ARRAYS
            ]
            check_split(arrays, size, directory / name)
            return EncodedSplit(*arrays)

        def task_split(task: str, name: str) -> EncodedSplit:
            found, row = split(name), index["own"].get(task)
            if row is None:
                return found
            if not TASK_KINDS[row.kind].reads_passages:
                return replace(found, excerpts=read_excerpts(directory, name, len(found)))
            questions = read_array(directory, f"{name}.questions", mmap=mmap)
            places = read_array(directory, f"{name}.places", mmap=mmap, dimensions=2)
            check_passages(found, questions, places, directory / name)
            passages = Passages.load(directory, name, questions, places)
            kept = read_excerpts(directory, name, len(passages.answers))
            return replace(found, passages=passages, excerpts=kept)

        tasks = {
            name: {part: task_split(name, f"{name}.{part}") for part in splits}
            for name, splits in index["tasks"].items()
        }
        check_tasks(
            {name: {s: split.labels for s, split in tasks[name].items()} for name in tasks},
            directory,
            needed,
            own=index["own"],
        )
        return cls(
            tokenizer_json=read_tokenizer(directory, size),
            vocabulary_size=size,
            pretrain=pretrain,
            validation=validation,
            tasks=tasks,
            teacher=teacher if (teacher := directory.parent / TEACHER).is_dir() else None,
            own=index["own"],
            floors=index["floors"],
            pairs={
                name: read_encoded_pairs(files, split(f"{_PAIRS}.{name}"), directory)
                for name, files in index[_PAIRS].items()
            },
        )
