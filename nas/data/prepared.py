"""The data of a run, ready to train on: one tokenizer, blocks of ids, encoded tasks.

Preparing happens once; every trial of the run reads the same arrays, from a folder that can be
memory-mapped.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np

from nas.data.encoding import EncodedSplit, encode
from nas.data.marks import keeps_marks
from nas.data.minimal_pairs import EncodedPairs
from nas.data.passages import Passages
from nas.data.prepared_files import (
    VERSION,
    check_ids,
    check_passages,
    check_split,
    check_tasks,
    read_array,
    read_encoded_pairs,
    read_index,
    read_tokenizer,
)
from nas.data.tables import Split, TaskData, take_examples
from nas.data.tokenizer import CLS, SEP, UNK, Tokenizer, train_tokenizer
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.glue import glue_task
from nas.evaluation.suites.task import Task
from nas.limits import available_memory
from nas.whole_files import write_whole
from search_spaces.errors import InvalidData

TEACHER = "teacher"  # the folder beside a run's data
TEST = "test"  # the split that nothing is chosen by
_VALIDATION_SHARE = 0.05
_VALIDATION_BLOCKS = 512
_CHARACTERS_PER_TOKEN = 6  # more than any tokenizer here needs
_TOKENIZER_CHARACTERS = 32_000_000  # more text changes hardly an entry of the vocabulary
_LINES_PER_CALL, _CHARACTERS_PER_CALL = 2000, 4_000_000
_MOST_UNKNOWN = 0.5
_MEMORY_SHARE = 0.2  # of a corpus as ids, which preparing has three of at a time


_ARRAYS = ("tokens", "offsets", "second_start", "labels")
_PAIRS = "pairs"
_DIMENSIONS = {"labels": (1, 2)}

# Says how many tokens an example may have.
Fit = Callable[[Tokenizer, Mapping[str, Split]], int]


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
            if row is None or not TASK_KINDS[row.kind].reads_passages:
                return found
            questions = read_array(directory, f"{name}.questions", mmap=mmap)
            places = read_array(directory, f"{name}.places", mmap=mmap, dimensions=2)
            check_passages(found, questions, places, directory / name)
            passages = Passages.load(directory, name, questions, places)
            return replace(found, passages=passages)

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


def prepare(
    *,
    tasks: dict[str, TaskData],
    corpus: Iterable[str] | None,
    vocabulary_size: int = 8192,
    tokenizer_kind: str = "wordpiece",
    marks: str = "auto",
    tokenizer: Tokenizer | None = None,
    max_length: int | Fit = 128,
    block_length: int = 128,
    corpus_tokens: int | None = None,
    max_train_examples: int | None = None,
    max_dev_examples: int | None = None,
    seed: int = 0,
) -> PreparedData:
    """Train a tokenizer, cut the corpus into blocks and encode the tasks.

    The tokenizer learns from the corpus and from the training sentences of the tasks, never from
    development sentences.

    Args:
        tasks: Task name -> its examples.
        corpus: Lines of text; None pre-trains on the training sentences of the tasks.
        vocabulary_size: Most ids of the tokenizer.
        tokenizer_kind: "wordpiece", "bpe", or the path of a tokenizer.json to take as it is.
        marks: Whether letters keep their marks: "keep", "strip", or "auto" where the tasks'
            languages and the scripts of the text decide; see `nas.data.marks`.
        tokenizer: Take this one; then `vocabulary_size` and `tokenizer_kind` decide nothing.
        max_length: Tokens of an example; longer ones are cut. A function says how many, of the
            tokenizer and the training examples.
        block_length: Tokens of a pre-training block.
        corpus_tokens: Tokens of the corpus to keep at most; None keeps all.
        max_train_examples: Training examples per task at most, drawn by `seed`; None keeps all.
        max_dev_examples: The same for each development split.
        seed: Decides which examples are drawn.

    Raises:
        InvalidData: There is no text, less than two blocks of it, or more than memory holds.
    """
    limit = np.inf if corpus_tokens is None else corpus_tokens * _CHARACTERS_PER_TOKEN
    train = {name: sample(data.train, max_train_examples, seed) for name, data in tasks.items()}
    sentences = [text for split in train.values() for text in _texts(split)]
    rest = iter(sentences if corpus is None else corpus)
    # the tokenizer learns from the beginning; the whole text is never in memory at once
    lines = _first(rest, min(limit, _TOKENIZER_CHARACTERS))
    if tokenizer is None and tokenizer_kind.endswith(".json"):
        tokenizer = Tokenizer.read(tokenizer_kind)
        tokenizer.require_trained_here()
    elif tokenizer is None:
        texts = lines if corpus is None else lines + sentences
        languages = [data.row.language for data in tasks.values() if data.row is not None]
        keep = keeps_marks(texts, languages, marks)
        tokenizer = train_tokenizer(texts, vocabulary_size, kind=tokenizer_kind, keep_marks=keep)
    kind = np.uint16 if tokenizer.vocabulary_size <= 2**16 else np.int32
    pretrain, validation = _blocks(tokenizer, chain(lines, rest), block_length, corpus_tokens, kind)
    longest = max_length if isinstance(max_length, int) else max_length(tokenizer, train)
    return PreparedData(
        tokenizer_json=tokenizer.json,
        vocabulary_size=tokenizer.vocabulary_size,
        pretrain=pretrain,
        validation=validation,
        tasks={
            name: _encode_task(tokenizer, train[name], data, longest, max_dev_examples, seed, kind)
            for name, data in tasks.items()
        },
        own=own_rows(tasks),
    )


def own_rows(tasks: Mapping[str, TaskData]) -> dict[str, Task]:
    """Return the rows of those tasks that are the user's own."""
    return {name: data.row for name, data in tasks.items() if data.row is not None}


def prepare_tasks(
    tasks: dict[str, TaskData],
    tokenizer: Tokenizer,
    *,
    max_length: int | Fit,
    max_train_examples: int | None = None,
    max_dev_examples: int | None = None,
    seed: int = 0,
) -> PreparedData:
    """Encode tasks with a tokenizer that exists, for a model that is pre-trained already.

    Args:
        tasks: Task name -> its examples.
        tokenizer: The model's own.
        max_length: Tokens of an example; longer ones are cut.
        max_train_examples: As in `prepare`.
        max_dev_examples: As in `prepare`.
        seed: Decides which examples are drawn.
    """
    train = {name: sample(data.train, max_train_examples, seed) for name, data in tasks.items()}
    longest = max_length if isinstance(max_length, int) else max_length(tokenizer, train)
    none = np.zeros((0, longest), np.int32)
    return PreparedData(
        tokenizer_json=tokenizer.json,
        vocabulary_size=tokenizer.vocabulary_size,
        pretrain=none,
        validation=none,
        tasks={
            name: _encode_task(
                tokenizer,
                train[name],
                data,
                longest,
                max_dev_examples,
                seed,
                np.int32,
            )
            for name, data in tasks.items()
        },
        own=own_rows(tasks),
    )


def _encode_task(
    tokenizer: Tokenizer,
    train: Split,
    data: TaskData,
    max_length: int,
    max_dev_examples: int | None,
    seed: int,
    kind: type,
) -> dict[str, EncodedSplit]:
    sampled = {name: sample(split, max_dev_examples, seed) for name, split in data.dev.items()}
    splits = {"train": train, **sampled}
    if data.row is not None:  # those of suites have no labels
        splits |= {name: s for name, s in data.test.items() if s.labels is not None}
    return {name: encode(tokenizer, split, max_length, kind) for name, split in splits.items()}


def _texts(split: Split) -> list[str]:
    if split.words:
        return [" ".join(words) for words in split.first]
    if split.answers is not None:  # many questions are about one text
        return [*split.first, *dict.fromkeys(split.second)]
    answers = (answer for many in split.choices or () for answer in many)
    return [*split.first, *(split.second or ()), *answers]


def _first(lines: Iterator[str], characters: float) -> list[str]:
    """Take lines until they have so many characters."""
    taken, left = [], characters
    for line in lines:
        taken.append(line)
        left -= len(line)
        if left < 0:
            break
    return taken


def _blocks(
    tokenizer: Tokenizer,
    lines: Iterable[str],
    block_length: int,
    corpus_tokens: int | None,
    kind: type,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the blocks to train on and those held out."""
    pieces, total = [], 0
    lines = iter(lines)
    while chunk := _first(islice(lines, _LINES_PER_CALL), _CHARACTERS_PER_CALL):
        pieces.append(tokenizer.encode_lines(chunk).astype(kind))
        total += len(pieces[-1])
        if total * pieces[-1].itemsize > available_memory() * _MEMORY_SHARE:
            raise InvalidData(
                f"The corpus has more than {total:,} tokens, too many for the "
                f"{available_memory() / 1e9:.1f} GB of memory here. Keep fewer, such as with "
                f"recipe: {{corpus_tokens: {total // 2}}}, or give the machine more memory."
            )
        if corpus_tokens is not None and total >= corpus_tokens:
            break
    stream = np.concatenate(pieces) if pieces else np.zeros(0, kind)
    pieces.clear()
    if corpus_tokens is not None:
        stream = stream[:corpus_tokens]
    count = len(stream) // (block_length - 1)
    if count < 2:
        raise InvalidData(
            f"The corpus gives {len(stream)} tokens, and pre-training needs at least two blocks "
            f"of {block_length}. Give more text, or a smaller block length."
        )
    unknown = np.sum(stream == UNK) / max(1, np.sum(stream != SEP))
    if unknown > _MOST_UNKNOWN:
        raise InvalidData(
            f"The corpus has no usable text: {unknown:.0%} of its tokens are unknown to the "
            "tokenizer. Give text in the tokenizer's language and script, or train a tokenizer "
            "on it with tokenizer: wordpiece or bpe."
        )
    body = stream[: count * (block_length - 1)].reshape(count, block_length - 1)
    blocks = np.concatenate([np.full((count, 1), CLS, kind), body], axis=1)
    held_out = min(_VALIDATION_BLOCKS, max(1, round(count * _VALIDATION_SHARE)))
    return blocks[:-held_out], blocks[-held_out:]


def sample(split: Split, most: int | None, seed: int) -> Split:
    """Return `most` examples of a split, drawn by `seed`, in their order; None takes all."""
    if most is None or len(split) <= most:
        return split
    rows = np.sort(np.random.default_rng(seed).choice(len(split), most, replace=False))
    return take_examples(split, rows)
