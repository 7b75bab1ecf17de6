"""Where an exported model is wrong: each class for itself, confusions, the worst rows."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from nas.data.encoding import EncodedSplit, encode_split
from nas.data.excerpts import text_of
from nas.data.preparation import sample
from nas.data.tables import Split
from nas.evaluation.answer_texts import best_of, is_same, word_overlap
from nas.evaluation.class_figures import ClassFigures
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.single.exported import ExportedModel, answer_surely
from nas.training.recipe import Recipe

WORST = 10  # rows
_LEAST = 1e-12  # a probability of 0 has no logarithm


@dataclass(frozen=True)
class Row:
    """One example with what is right and what was answered.

    Attributes:
        row: Its place among the examples that were scored, from 1.
        text: What was read.
        label: What is right, in the words of the file.
        predicted: The answer, in the same words.
        loss: How surprised the model is of what is right; squared error of a number; of spans the
            share of words that answer and right answer have not in common.
    """

    row: int
    text: str
    label: str
    predicted: str
    loss: float


@dataclass(frozen=True)
class PerClass:
    """Everything about one task.

    Attributes:
        task: Its name.
        classes: Name -> figures; none of a number.
        confusion: For each class that is right how often each was answered, `(classes, classes)`
            in the order of `classes`; none where several are right at once, and none of a number.
        worst: Rows of the highest loss, the worst first.
        wrong: All rows with a wrong answer, in the order of the file; none of a number.
    """

    task: str
    classes: dict[str, ClassFigures] = field(default_factory=dict)
    confusion: list[list[int]] = field(default_factory=list)
    worst: list[Row] = field(default_factory=list)
    wrong: list[Row] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the wrong rows as JSON types."""
        found = asdict(self)
        return {**found, "wrong": len(found["wrong"])}


def per_class(
    model: ExportedModel, task: Task, split: Split, recipe: Recipe, *, seed: int = 0
) -> PerClass:
    """Return where a fine-tuned model is wrong on labelled examples.

    Args:
        model: The exported folder.
        task: What it answers.
        split: The examples.
        recipe: How long sequences are, and how many examples are taken at most.
        seed: Decides which, where there are more.
    """
    split = sample(split, recipe.max_dev_examples, seed)
    encoded = encode_split(model.tokenizer, split, recipe.max_length)
    answers, sure = answer_surely(model, task, split, recipe)
    if encoded.passages is not None:
        return _of_spans(task, split, answers)
    labels = np.asarray(encoded.labels, np.float64)
    losses = _losses(labels, answers, sure)
    classes, confusion = _figures(task, labels, answers)
    names = (_texts(task, labels, encoded), _texts(task, answers, encoded))
    bad = np.zeros(len(split), bool)
    if encoded.per_token:
        losses, bad = _of_texts(encoded, labels, answers, losses)
    elif task.labels:
        bad = (labels != answers).reshape(len(split), -1).any(1)

    def row(place: int) -> Row:
        return Row(
            place + 1, text_of(split, place), names[0][place], names[1][place], float(losses[place])
        )

    worst = np.argsort(-losses, kind="stable")[:WORST]
    return PerClass(
        task.name,
        classes,
        confusion,
        [row(int(place)) for place in worst],
        [row(int(place)) for place in np.flatnonzero(bad)],
    )


def _of_spans(task: Task, split: Split, answers: np.ndarray) -> PerClass:
    """Return where spans are wrong; the loss is the share of words that is not in common."""
    found = []
    for place, (answer, rights) in enumerate(zip(answers, split.answers, strict=True)):
        loss = 1 - best_of(word_overlap, answer.text, rights)
        right = " | ".join(dict.fromkeys(rights))
        same = bool(best_of(is_same, answer.text, rights))
        found.append((same, Row(place + 1, text_of(split, place), right, answer.text, loss)))
    worst = sorted((row for _, row in found), key=lambda row: -row.loss)[:WORST]
    return PerClass(task.name, worst=worst, wrong=[row for same, row in found if not same])


def wrong_text(found: Sequence[PerClass]) -> str:
    """Return the wrong answers of some tasks as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["task", "row", "text", "label", "predicted", "loss"])
    for one in found:
        for row in one.wrong:
            loss = f"{row.loss:.4f}"
            writer.writerow([one.task, row.row, row.text, row.label, row.predicted, loss])
    return text.getvalue()


def _losses(labels: np.ndarray, answers: np.ndarray, sure: np.ndarray | None) -> np.ndarray:
    """Return the loss of each answer; 0 where there is no label."""
    if sure is None:
        return (labels - answers) ** 2
    if labels.ndim > 1:
        told = np.where(labels > 0, sure, 1 - sure)
        return -np.log(np.maximum(told, _LEAST)).sum(1)
    right = sure[np.arange(len(labels)), np.maximum(labels, 0).astype(int)]
    return np.where(labels >= 0, -np.log(np.maximum(right, _LEAST)), 0.0)


def _figures(
    task: Task, labels: np.ndarray, answers: np.ndarray
) -> tuple[dict[str, ClassFigures], list[list[int]]]:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    if not task.labels:
        return {}, []
    places = list(range(len(task.labels)))
    confusion: list[list[int]] = []
    if labels.ndim == 1:
        labels, answers = labels[labels >= 0].astype(int), answers[labels >= 0].astype(int)
        confusion = confusion_matrix(labels, answers, labels=places).tolist()
    found = precision_recall_fscore_support(labels, answers, labels=places, zero_division=0)
    return {
        name: ClassFigures(float(p), float(r), float(f), int(n))
        for name, p, r, f, n in zip(task.labels, *found, strict=True)
    }, confusion


def _texts(task: Task, values: np.ndarray, encoded: EncodedSplit) -> Sequence[str]:
    if not encoded.per_token:
        return TASK_KINDS[task.kind].texts(task, values)
    there = encoded.labels >= 0
    return [
        " ".join(task.labels[int(number)] for number in values[start:end][there[start:end]])
        for start, end in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)
    ]


def _of_texts(
    encoded: EncodedSplit, labels: np.ndarray, answers: np.ndarray, losses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of a text's losses, and whether a word of it is wrong."""
    starts = encoded.offsets[:-1]
    wrong = (labels >= 0) & (labels != answers)
    return np.add.reduceat(losses, starts), np.add.reduceat(wrong.astype(int), starts) > 0
