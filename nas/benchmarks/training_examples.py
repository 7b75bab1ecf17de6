"""Examples of the lengths GLUE really has: most are short, a few are long."""

from pathlib import Path

import numpy as np

from nas.data.prepared import EncodedSplit

VOCABULARY = 8_000
LONGEST = 128
# Lengths in tokens of 20,000 training examples of the nine tasks, drawn by the tasks' sizes and
# encoded with a WordPiece vocabulary of 8,000: the quantiles 0, 1, ..., 100 %. Their mean is 26.
_QUANTILES = """
3 4 4 4 4 5 5 5 5 6 6 6 6 6 7 7 7 7 8 8 8 9 9 9 9 10 10 10 11 11 11 12 12 12
13 13 14 14 14 15 15 16 16 17 17 18 18 19 19 20 20 21 21 22 22 23 23 24 24 25 25 26 26 27 27 28 29
29 30 31 32 32 33 34 35 36 37 38 39 40 41 42 43 45 46 47 49 51 52 54 56 58 60 62 65 68 71 76 83 97
128
"""
QUANTILES = tuple(map(int, _QUANTILES.split()))


def stored_examples(count: int, seed: int) -> EncodedSplit:
    """Draw `count` examples of random tokens with the lengths of GLUE, and two classes."""
    rng = np.random.default_rng(seed)
    share = rng.random(count) * (len(QUANTILES) - 1)
    lengths = np.interp(share, np.arange(len(QUANTILES)), QUANTILES).round().astype(np.int64)
    return _split(rng.integers(5, VOCABULARY, lengths.sum()), lengths, rng)


def glue_examples(folder: Path, count: int, seed: int) -> EncodedSplit:
    """Draw `count` training examples of the tasks in `folder`, each task by its size.

    Raises:
        InvalidData: The folder does not hold GLUE.
    """
    from nas.data.glue import available_tasks, read_task
    from nas.data.tokenizer import train_tokenizer

    rng = np.random.default_rng(seed)
    tasks = [read_task(folder, name).train for name in available_tasks(folder)]
    task_of = np.repeat(np.arange(len(tasks)), [len(task) for task in tasks])
    row_of = np.concatenate([np.arange(len(task)) for task in tasks])
    chosen = rng.choice(len(task_of), min(count, len(task_of)), replace=False)
    drawn = []
    for number, task in enumerate(tasks):
        rows = row_of[chosen[task_of[chosen] == number]]
        second = None if task.second is None else [task.second[row] for row in rows]
        drawn.append(([task.first[row] for row in rows], second))
    texts = [text for first, second in drawn for text in first + (second or [])]
    tokenizer = train_tokenizer(texts, vocabulary_size=VOCABULARY)
    encoded = [tokenizer.encode_batch(*pair, max_length=LONGEST) for pair in drawn if pair[0]]
    lengths = np.concatenate([np.diff(part.offsets) for part in encoded])
    return _split(np.concatenate([part.tokens for part in encoded]), lengths, rng)


def _split(tokens: np.ndarray, lengths: np.ndarray, rng: np.random.Generator) -> EncodedSplit:
    return EncodedSplit(
        tokens.astype(np.uint16),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        lengths.astype(np.int32),
        rng.integers(0, 2, len(lengths)).astype(np.float32),
    )
