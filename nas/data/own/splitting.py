"""Splitting a part off the training examples where there is no other to score on."""

import numpy as np

from nas.data.own.texts import Texts
from nas.data.tables import Split, take_examples
from search_spaces.errors import InvalidData

SHARE = 0.2
_MOST = 5_000  # examples are enough to score on
_FEWEST = 10


def split_off(split: Split, seed: int, place: str) -> tuple[Split, Split, str]:
    """Return what is left to train on, the part to score on, and a text that says so.

    Of every class the same share goes, and at least one example where it has two; of questions
    about texts, all of some texts.

    Args:
        split: All examples.
        seed: Decides which.
        place: Their file.

    Raises:
        InvalidData: There are too few examples.
    """
    count = len(split)
    if count < _FEWEST:
        raise InvalidData(
            f"{place} has {count} examples, and a part to score on must be split off. Give at "
            f"least {_FEWEST}, or a second file to score on: TRAIN,DEV."
        )
    share = min(SHARE, _MOST / count)
    rng = np.random.default_rng([seed, count])
    if split.answers is not None:
        left, held_out = _whole_texts(split, share, rng, place)
        how = f"{len(held_out) / count:.0%} of {place}, split off by seed {seed}, all of a text"
        return rows_of(split, left), rows_of(split, held_out), how
    classes = split.labels if split.labels.dtype == np.int64 and not split.words else None
    alike = 0 if classes is None else classes.max()
    taken = []
    for number in range(alike + 1):  # one class at a time: rows of all take what the file takes
        rows = np.arange(count) if classes is None else np.flatnonzero(classes == number)
        wanted = min(max(1, round(share * len(rows))), len(rows) - 1)
        if len(rows):
            taken.append(rng.permutation(rows)[:wanted].copy())
    held_out = np.sort(np.concatenate(taken))
    stays = np.ones(count, bool)
    stays[held_out] = False
    left = np.flatnonzero(stays)
    how = f"{len(held_out) / count:.0%} of {place}, split off by seed {seed}"
    return (
        rows_of(split, left),
        rows_of(split, held_out),
        (f"{how}, of every class alike" if classes is not None else how),
    )


def _whole_texts(
    split: Split, share: float, rng: np.random.Generator, place: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of some texts, and those of enough others to score on."""
    numbers: dict[str, int] = {}
    of = np.array([numbers.setdefault(text, len(numbers)) for text in split.second])
    if len(numbers) < 2:
        raise InvalidData(
            f"All questions of {place} are about one text, and a part to score on must be split "
            "off. Give questions about another one, or a second file to score on: TRAIN,DEV."
        )
    order = rng.permutation(len(numbers))
    ends = np.cumsum(np.bincount(of)[order])
    most = min(int(np.searchsorted(ends, share * len(of))) + 1, len(numbers) - 1)
    held_out = np.isin(of, order[:most])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def rows_of(split: Split, rows: np.ndarray) -> Split:
    """Return the examples at `rows`, `(n,)`, of a split read from files."""
    if split.words:
        return take_examples(split, rows)

    def take(texts: Texts | None) -> Texts | None:
        return None if texts is None else texts.take(rows)

    labels = None if split.labels is None else split.labels[rows]
    answers = None if split.answers is None else [split.answers[int(row)] for row in rows]
    return Split(
        take(split.first), take(split.second), labels, choices=take(split.choices), answers=answers
    )
