"""Preparing the data of a run: a tokenizer is trained, text cut into blocks, tasks encoded."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import chain

import numpy as np

from nas.data.blocks import blocks_of, first_lines
from nas.data.encoding import EncodedSplit, encode
from nas.data.excerpts import excerpts
from nas.data.marks import keeps_marks
from nas.data.prepared import PreparedData
from nas.data.tables import Split, TaskData, take_examples
from nas.data.tokenizer import Tokenizer, train_tokenizer
from nas.evaluation.suites.task import Task

_CHARACTERS_PER_TOKEN = 6  # more than any tokenizer here needs
_TOKENIZER_CHARACTERS = 32_000_000  # more text changes hardly an entry of the vocabulary

# Says how many tokens an example may have.
Fit = Callable[[Tokenizer, Mapping[str, Split]], int]


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
    lines = first_lines(rest, min(limit, _TOKENIZER_CHARACTERS))
    if tokenizer is None and tokenizer_kind.endswith(".json"):
        tokenizer = Tokenizer.read(tokenizer_kind)
        tokenizer.require_trained_here()
    elif tokenizer is None:
        texts = lines if corpus is None else lines + sentences
        languages = [data.row.language for data in tasks.values() if data.row is not None]
        keep = keeps_marks(texts, languages, marks)
        tokenizer = train_tokenizer(texts, vocabulary_size, kind=tokenizer_kind, keep_marks=keep)
    kind = np.uint16 if tokenizer.vocabulary_size <= 2**16 else np.int32
    pretrain, validation = blocks_of(
        tokenizer, chain(lines, rest), block_length, corpus_tokens, kind
    )
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
    found = {name: encode(tokenizer, split, max_length, kind) for name, split in splits.items()}
    if data.row is not None:  # what a report shows of them
        found |= {
            name: replace(found[name], excerpts=excerpts(split)) for name, split in sampled.items()
        }
    return found


def _texts(split: Split) -> list[str]:
    if split.words:
        return [" ".join(words) for words in split.first]
    if split.answers is not None:  # many questions are about one text
        return [*split.first, *dict.fromkeys(split.second)]
    answers = (answer for many in split.choices or () for answer in many)
    return [*split.first, *(split.second or ()), *answers]


def sample(split: Split, most: int | None, seed: int) -> Split:
    """Return `most` examples of a split, drawn by `seed`, in their order; None takes all."""
    if most is None or len(split) <= most:
        return split
    rows = np.sort(np.random.default_rng(seed).choice(len(split), most, replace=False))
    return take_examples(split, rows)
