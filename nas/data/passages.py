"""Questions about texts as ids: each text in windows that overlap, with its question before each.

Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019, section 4.2 (the question first, the text second); the released code
(windows of a text that overlap).
Differs on purpose: windows overlap by a third of their room for the text, so that they follow the
longest sequence; a question may take half of it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.data.tables import Split
from nas.data.tokenizer import Encoded, Tokenizer
from nas.evaluation.kinds.span import BOTH, ENDS, INSIDE, OUTSIDE, STARTS
from nas.whole_files import write_whole
from search_spaces.documents import read_json_file
from search_spaces.errors import InvalidData

_OVERLAP, _QUESTION = 3, 2  # shares: one of so many


@dataclass(frozen=True)
class Passages:
    """What tells an answer's words: the texts behind the windows of a split.

    Attributes:
        questions: Number of the question of each window, ascending from 0, `(windows,)` int32.
        places: First character of each token in its text and the one after its last, `(tokens, 2)`
            int32; zeros for what belongs to no text.
        texts: Those that are asked about, each once.
        text_of: Place in `texts` of each question's, `(questions,)`.
        answers: Words of the answers that are right, for each question; none where it has none.
    """

    questions: np.ndarray
    places: np.ndarray
    texts: Sequence[str]
    text_of: Sequence[int]
    answers: Sequence[Sequence[str]]

    def context_of(self, question: int) -> str:
        """Return the text that a question is asked about."""
        return self.texts[self.text_of[question]]

    def take(self, windows: np.ndarray, tokens: np.ndarray) -> "Passages":
        """Return the part with some windows, all those of some questions, and their tokens."""
        kept, numbers = np.unique(self.questions[windows], return_inverse=True)
        return Passages(
            numbers.astype(np.int32),
            self.places[tokens],
            self.texts,
            [self.text_of[int(i)] for i in kept],
            [self.answers[int(i)] for i in kept],
        )

    def save(self, directory: Path, name: str) -> None:
        """Write what `load` reads."""
        np.save(directory / f"{name}.questions.npy", self.questions)
        np.save(directory / f"{name}.places.npy", self.places)
        facts = {"texts": list(self.texts), "text_of": [int(i) for i in self.text_of]}
        facts["answers"] = [list(found) for found in self.answers]
        write_whole(directory / f"{name}.passages.json", json.dumps(facts, ensure_ascii=False))

    @classmethod
    def load(
        cls, directory: Path, name: str, questions: np.ndarray, places: np.ndarray
    ) -> "Passages":
        """Return what `save` wrote, of which the arrays are read.

        Raises:
            InvalidData: It is missing or damaged, or does not go with the arrays.
        """
        path = directory / f"{name}.passages.json"
        try:
            facts = read_json_file(path, InvalidData)
            texts, text_of, answers = (facts[key] for key in ("texts", "text_of", "answers"))
            whole = (
                _texts(texts)
                and all(type(place) is int and 0 <= place < len(texts) for place in text_of)
                and all(map(_texts, answers))
                and len(text_of) == len(answers) == int(questions.max(initial=-1)) + 1
                and not np.setdiff1d(np.diff(questions, prepend=-1), (0, 1)).size
                and questions[:1].tolist() == [0]
            )
        except (OSError, InvalidData, KeyError, TypeError) as error:
            raise InvalidData(
                f"{path} cannot be read ({error}). Prepare the data again, or use a copy."
            ) from None
        if not whole:
            raise InvalidData(
                f"{path} does not go with the arrays beside it. Prepare the data again, or use a "
                "copy."
            )
        return cls(questions, places, texts, text_of, answers)


def _texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def encode_passages(
    tokenizer: Tokenizer, split: Split, max_length: int
) -> tuple[Encoded, np.ndarray, Passages]:
    """Return the windows of all questions as ids, the marks of their tokens, and their texts.

    The marks are those of `nas.evaluation.kinds.span`; without labels no token is marked as one
    where an answer begins or ends. A window that the answer is not in, or not whole, has its first
    token for an answer.
    """
    numbers: dict[str, int] = {}
    text_of = [numbers.setdefault(text, len(numbers)) for text in split.second]
    texts = list(numbers)
    ids, places = tokenizer.encode_places(texts)
    asked, _ = tokenizer.encode_places(list(split.first))
    between = tokenizer.between
    tokens, starts, marks, windows, where = [], [], [], [], []
    for number, question in enumerate(asked):
        question = question[: max(1, (max_length - 2 - len(between)) // _QUESTION)]
        begin = [tokenizer.cls, *question, *between]
        text = ids[text_of[number]]
        here = places[text_of[number]]
        spot = None if split.labels is None else _spot(here, split.labels[number])
        for first, end in _windows(len(text), max(1, max_length - len(begin) - 1)):
            tokens.append(np.concatenate([begin, text[first:end], [tokenizer.sep]]))
            mark = np.full(len(tokens[-1]), OUTSIDE, np.float32)
            mark[[0]] = mark[len(begin) : -1] = INSIDE
            if split.labels is not None:
                _set(mark, spot, first, end, len(begin))
            marks.append(mark)
            place = np.zeros((len(mark), 2), np.int32)
            place[len(begin) : -1] = here[first:end]
            where.append(place)
            starts.append(len(begin))
            windows.append(number)
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in tokens])]).astype(np.int64)
    passages = Passages(
        np.array(windows, np.int32), np.concatenate(where), texts, text_of, split.answers
    )
    encoded = Encoded(np.concatenate(tokens).astype(np.int32), offsets, np.array(starts, np.int32))
    return encoded, np.concatenate(marks), passages


def _windows(tokens: int, room: int) -> Iterator[tuple[int, int]]:
    """Yield first token and the one after the last of each window of a text."""
    step = max(1, room - room // _OVERLAP)
    first = 0
    while True:
        yield first, min(first + room, tokens)
        if first + room >= tokens:
            return
        first += step


def _spot(places: np.ndarray, answer: np.ndarray) -> tuple[int, int] | None:
    """Return the first and the last token of an answer; None where it has none.

    Args:
        places: Of the text's tokens, `(tokens, 2)`.
        answer: Its first character and the one after its last; -1 twice for no answer.
    """
    if answer[0] < 0:
        return None
    first = int(np.searchsorted(places[:, 1], answer[0], side="right"))
    last = int(np.searchsorted(places[:, 0], answer[1], side="left")) - 1
    return (first, last) if first <= last else None


def _set(mark: np.ndarray, spot: tuple[int, int] | None, first: int, end: int, before: int) -> None:
    """Mark in a window where the answer begins and ends."""
    if spot is None or spot[0] < first or spot[1] >= end:
        mark[0] = BOTH
        return
    begins, ends = (before + place - first for place in spot)
    mark[begins], mark[ends] = (BOTH, BOTH) if begins == ends else (STARTS, ENDS)
