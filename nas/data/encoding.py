"""Texts as ids: the examples of a split, one after the other, whatever kind of labels they have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.data.passages import Passages, encode_passages
from nas.data.tables import Split
from nas.data.tokenizer import WORDLESS, Encoded, Tokenizer
from nas.evaluation.kinds.words import BETWEEN, CONTINUED

_UNCUT = 1 << 30
NO_ANSWER = (
    1  # token: of the answers that a row has fewer than others, no other sequence is so short
)


@dataclass(frozen=True)
class EncodedSplit:
    """The examples of one split as ids, one after the other.

    Attributes:
        tokens: All ids, uint16 (int32 for vocabularies above 65,536).
        offsets: Where each example begins in `tokens`, and the end of the last, int64, `(n + 1,)`.
        second_start: Index within the example where the second sentence begins; the length of
            the example where there is none, int32, `(n,)`.
            Of a choice among answers, each answer is a sequence of its own in `offsets` and here,
            `(n * answers,)`, row by row; a row with fewer has sequences of one token.
        labels: Class numbers or regression targets, float32, `(n,)`; of several labels at once,
            `(n, labels)`; of words and of spans, `(tokens,)`.
        passages: Of questions about texts, the texts; each window of one is a sequence of its own.
        excerpts: Of the development examples of a user's own task, the beginning of each text; see
            `nas.data.excerpts`.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    second_start: np.ndarray
    labels: np.ndarray
    passages: Passages | None = None
    excerpts: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.second_start) // self.each

    @property
    def examples(self) -> int:
        """How many examples there are: of questions about texts fewer than windows."""
        return len(self) if self.passages is None else len(self.passages.answers)

    @property
    def each(self) -> int:
        """How many sequences an example is: one, or of a choice as many as it has answers."""
        labels = max(1, len(self.labels))
        return max(1, len(self.second_start) // labels)

    def sequences_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the places of the sequences of the examples at `rows`, row by row."""
        if self.each == 1:
            return rows
        return (rows[:, None] * self.each + np.arange(self.each)).ravel()

    @property
    def per_token(self) -> bool:
        """Whether every token has a label; an example has several tokens, so that this tells."""
        return self.labels.ndim == 1 and len(self.labels) == len(self.tokens) > len(self)


def encode_split(tokenizer: Tokenizer, split: Split, max_length: int) -> EncodedSplit:
    """Encode examples that may have no labels; NaN stands in their place."""
    return encode(tokenizer, split, max_length, np.int32)


def token_lengths(tokenizer: Tokenizer, split: Split) -> np.ndarray:
    """Return how many tokens each example has before any is cut, `(n,)`.

    Of a choice among answers, those of each answer with what is asked; of a question about a text,
    those of both.
    """
    found = np.diff(encode(tokenizer, split, _UNCUT, np.int32).offsets)
    return found if split.choices is None else found[found > NO_ANSWER]


def encode(tokenizer: Tokenizer, split: Split, max_length: int, kind: type) -> EncodedSplit:
    """Encode examples with ids of a type; NaN stands in the place of labels that are not there."""
    if split.words:
        return _encode_words(tokenizer, split, max_length, kind)
    if split.answers is not None:
        found, marks, passages = encode_passages(tokenizer, split, max_length)
        tokens = found.tokens.astype(kind)
        return EncodedSplit(tokens, found.offsets, found.second_start, marks, passages)
    first, second = split.first, split.second
    if split.choices is not None:
        pairs = zip(split.first, split.choices, strict=True)
        first, second = zip(*((t, answer) for t, many in pairs for answer in many), strict=True)
    encoded = tokenizer.encode_batch(first, second, max_length=max_length)
    if split.choices is not None:
        encoded = _as_many(encoded, [len(many) for many in split.choices], tokenizer.sep)
    return EncodedSplit(
        encoded.tokens.astype(kind),
        encoded.offsets,
        encoded.second_start,
        np.full(len(split), np.nan, np.float32)
        if split.labels is None
        else split.labels.astype(np.float32),
    )


def _as_many(encoded: Encoded, counts: Sequence[int], sep: int) -> Encoded:
    """Return answers of rows with as many for each: [SEP] alone stands where a row has no more.

    Args:
        encoded: A sequence for each answer.
        counts: How many answers each row has.
        sep: The id of [SEP].
    """
    most = max(counts)
    there = (np.arange(most) < np.array(counts)[:, None]).ravel()
    if there.all():
        return encoded
    lengths = np.full(len(there), NO_ANSWER, np.int64)
    lengths[there] = old = np.diff(encoded.offsets)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.full(offsets[-1], sep, encoded.tokens.dtype)
    begins = offsets[:-1][there]
    tokens[np.repeat(begins - encoded.offsets[:-1], old) + np.arange(len(encoded.tokens))] = (
        encoded.tokens
    )
    second = np.full(len(there), NO_ANSWER, np.int32)
    second[there] = encoded.second_start
    return Encoded(tokens, offsets, second)


def _encode_words(tokenizer: Tokenizer, split: Split, max_length: int, kind: type) -> EncodedSplit:
    """Encode lists of words; the first token of each word has its label."""
    encoded, places = tokenizer.encode_words(split.first, max_length=max_length)
    labels = np.where(places == WORDLESS, BETWEEN, CONTINUED).astype(np.float32)
    begins = places >= 0
    labels[begins] = 0 if split.labels is None else split.labels[places[begins]]
    return EncodedSplit(encoded.tokens.astype(kind), encoded.offsets, encoded.second_start, labels)
