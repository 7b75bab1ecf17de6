"""A span of a text that answers a question, or no answer at all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nas.evaluation.answer_texts import best_of, is_same, word_overlap
from nas.evaluation.best_spans import best_spans
from nas.evaluation.kinds.base import TASK_KINDS, Examples, Scaled, TaskKind, excerpt
from nas.evaluation.mistakes import Mistakes, worst_of
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    from torch import Tensor

    from nas.evaluation.suites.task import Task

# What a token is: no place for an answer, one, and where the right one begins, ends, or both.
OUTSIDE, INSIDE, STARTS, ENDS, BOTH = -1, 0, 1, 2, 3
NO_ANSWER = "no answer"  # the label of a task some of whose questions have none
_ASKED, _BEFORE, _AROUND = 90, 30, 140  # characters shown of a question, and of a text
_MOST = 2_000  # questions, to find what answers best without reading them


class Span(NamedTuple):
    """An answer.

    Attributes:
        text: Its words; "" for none.
        start: Character of the text where it begins; -1 for none.
    """

    text: str
    start: int


NOTHING = Span("", -1)


class SpanOfText(TaskKind):
    """Where in a text the answer to a question starts and ends; marks of tokens, `(tokens,)`.

    A long text is read in windows, each with the question before it. A window without the answer
    has its first token for one; of all windows of a question the surest span is taken.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", NAACL 2019, sections 4.2 and 4.3.
    Differs on purpose: the question and padding are out of the softmax, as no answer stands there;
    a student's logits are compared with its teacher's by their squares, whatever the temperature,
    since a softmax over each window's tokens would need the windows (Ba and Caruana, "Do Deep Nets
    Really Need to be Deep?", NeurIPS 2014).
    """

    name = "span"
    title = "a span of the text"
    metrics = ("exact_match", "token_f1")
    allowed = ("exact_match", "token_f1")
    reads_tokens = True
    reads_passages = True
    pipeline = "question-answering"
    auto = "AutoModelForQuestionAnswering"
    use = (
        "# of {first}: ids of a question with its text to start_logits and end_logits of each token"
    )

    def outputs(self, task: "Task") -> int:
        return 2

    def loss(self, outputs: "Tensor", labels: "Tensor", scale: Scaled) -> "Tensor":
        import torch
        from torch.nn.functional import cross_entropy

        logits = outputs.masked_fill((labels <= OUTSIDE)[..., None], torch.finfo(outputs.dtype).min)
        losses = [
            cross_entropy(
                logits[..., side], ((labels == mark) | (labels == BOTH)).float().argmax(1)
            )
            for side, mark in enumerate((STARTS, ENDS))
        ]
        return (losses[0] + losses[1]) / 2

    def soft_loss(self, student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
        from torch.nn.functional import mse_loss

        return mse_loss(student, teacher)

    def answers(self, outputs: "Tensor", scale: Scaled) -> "Tensor":
        return outputs  # of each token; `of_examples` finds the spans

    def of_examples(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        passages = split.passages
        first_tokens = np.zeros(len(split.tokens), bool)
        first_tokens[split.offsets[:-1]] = True
        found = best_spans(
            answers,
            passages.places,
            (np.asarray(split.labels) >= INSIDE) & ~first_tokens,
            split.offsets,
            passages.questions,
            may_be_none=bool(task.labels),
        )
        spans = np.empty(len(found.first), dtype=object)
        for number, (first, last) in enumerate(zip(found.first, found.last, strict=True)):
            if first >= 0:
                begin, end = passages.places[first][0], passages.places[last][1]
                text = passages.context_of(number)[begin:end]
                spans[number] = Span(text.strip(), int(begin) + len(text) - len(text.lstrip()))
            else:
                spans[number] = NOTHING if first == -1 else None
        return spans, found.probability[:, None]

    def right(self, split: Examples) -> np.ndarray:
        return _objects(split.passages.answers)

    def constant(self, labels: np.ndarray) -> Span:
        return NOTHING

    def without_reading(self, train: Examples, split: Examples) -> np.ndarray:
        """Return the first word, the whole text or no answer, whichever is best in training."""
        rights = self.right(train)[:_MOST]
        best = max(
            _UNREAD,
            key=lambda answer: sum(
                best_of(word_overlap, answer(train.passages.context_of(i)).text, rights[i])
                for i in range(len(rights))
            ),
        )
        count = len(split.passages.answers)
        return _objects([best(split.passages.context_of(i)) for i in range(count)])

    def for_metric(
        self, metric: str, task: "Task", predictions: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if metric == "token_f1":
            return np.array([span.text for span in predictions], dtype=object), labels
        pairs = zip(predictions, labels, strict=True)
        same = [[best_of(is_same, span.text, rights)] for span, rights in pairs]
        return np.array(same), np.ones((len(same), 1))

    def mistakes(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray
    ) -> Mistakes:
        rights = split.passages.answers
        pairs = zip(answers, rights, strict=True)
        wrong = np.array([not best_of(is_same, said.text, right) for said, right in pairs])

        def words(place: int) -> tuple[str, str, str]:
            said, right = answers[place], list(dict.fromkeys(rights[place]))
            context, asked = split.passages.context_of(place), excerpt(split, place)
            first = context.find(right[0]) if right else -1
            read = " | ".join(filter(None, [asked[:_ASKED], _around(context, first, said.start)]))
            return read, " | ".join(right) or NO_ANSWER, said.text or NO_ANSWER

        return Mistakes(
            examples=len(answers), wrong=int(wrong.sum()), worst=worst_of(wrong, sure[:, 0], words)
        )

    def check(self, task: "Task") -> None:
        super().check(task)
        if task.labels not in ((), (NO_ANSWER,)) or len(task.columns) != 2:
            raise InvalidData(f"{task.name} needs a column of questions and one of texts.")

    def check_labels(self, task: "Task", labels: np.ndarray) -> str | None:
        known = labels.ndim == 1 and np.isin(labels, range(OUTSIDE, BOTH + 1)).all()
        return None if known else "it has marks of tokens other than -1 to 3"

    def texts(self, task: "Task", answers: np.ndarray) -> Sequence[str]:
        return [span.text for span in answers]


def _objects(values: Sequence[object]) -> np.ndarray:
    """Return values as an array, `(n,)`, whatever they are made of."""
    found = np.empty(len(values), dtype=object)
    found[:] = list(values)
    return found


def _around(text: str, *places: int) -> str:
    """Return the part of a text that begins shortly before the first of some places in it."""
    begin = max(0, min((place for place in places if place > 0), default=0) - _BEFORE)
    return f"…{text[begin:][:_AROUND]}" if begin else text[:_AROUND]


def _first_word(text: str) -> Span:
    word = next(iter(text.split()), "")
    return Span(word, text.find(word))


_UNREAD = (lambda text: NOTHING, _first_word, lambda text: Span(text, 0))

TASK_KINDS.register(SpanOfText.name)(SpanOfText())
