"""A label for each word: names in a text, parts of speech."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.evaluation.class_figures import class_figures, confusions, figures_of, told_apart
from nas.evaluation.entities import entities, split_mark
from nas.evaluation.kinds.base import TASK_KINDS, Examples, Scaled, TaskKind, excerpt
from nas.evaluation.mistakes import WORST, Mistakes, mistake
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    from torch import Tensor

    from nas.evaluation.suites.task import Task

# What stands in place of a label: for further tokens of a word, and for special tokens, which part
# one text from the next.
CONTINUED, BETWEEN = -100, -101
OUTSIDE = "O"  # the label of words that belong to no entity


class Words(TaskKind):
    """One of some labels for each word; class numbers of the tokens that begin one, `(tokens,)`."""

    name = "words"
    title = "a label for each word"
    metrics = ("entity_f1",)
    allowed = ("entity_f1", "accuracy", "macro_f1")
    reads_tokens = True
    pipeline = "token-classification"
    auto = "AutoModelForTokenClassification"

    def outputs(self, task: "Task") -> int:
        return len(task.labels)

    def loss(self, outputs: "Tensor", labels: "Tensor", scale: Scaled) -> "Tensor":
        from torch.nn.functional import cross_entropy

        return cross_entropy(
            outputs.flatten(0, 1), labels.long().clamp(min=-1).flatten(), ignore_index=-1
        )

    def soft_loss(self, student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
        return TASK_KINDS["classes"].soft_loss(student, teacher, temperature)

    def answers(self, outputs: "Tensor", scale: Scaled) -> "Tensor":
        return outputs.argmax(-1).where(outputs.isfinite().all(-1), np.nan)

    def probabilities(self, outputs: "Tensor") -> "Tensor":
        return outputs.softmax(-1)

    def constant(self, labels: np.ndarray) -> float:
        values, counts = np.unique(labels[labels >= 0], return_counts=True)
        return float(values[counts.argmax()])

    def check(self, task: "Task") -> None:
        super().check(task)
        if len(task.labels) < 2 or len(set(task.labels)) < len(task.labels):
            raise InvalidData(f"{task.name} needs at least two labels of words, each named once.")

    def check_labels(self, task: "Task", labels: np.ndarray) -> str | None:
        allowed = (BETWEEN, CONTINUED, *range(len(task.labels)))
        return None if np.isin(labels, allowed).all() else "it has labels that the task has not"

    def mistakes(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray
    ) -> Mistakes:
        """Return where words are labelled wrongly: of entities by their kind, of each text once."""
        labels = np.asarray(split.labels)
        places = np.flatnonzero((labels >= 0) & (labels != answers))
        places = places[np.argsort(-sure[places].max(1), kind="stable")]
        texts = np.searchsorted(split.offsets, places, side="right") - 1
        wrong, surest = np.unique(texts, return_index=True)
        worst = [
            mistake(self._word(task, split, answers, place), sure[place].max(), text)
            for place, text in zip(
                places[np.sort(surest)[:WORST]].tolist(),
                texts[np.sort(surest)[:WORST]].tolist(),
                strict=True,
            )
        ]
        return Mistakes(
            examples=len(split.offsets) - 1,
            wrong=len(wrong),
            **self._told_apart(task, labels, answers),
            worst=worst,
        )

    def _told_apart(self, task: "Task", labels: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
        there = labels >= 0
        if not any(split_mark(label)[0] for label in task.labels):
            found = told_apart(task.labels, labels[there], answers[there])
            return {**found, "what": "label"}
        claimed, true = map(entities, self.for_metric("entity_f1", task, answers, labels))
        kinds = list(dict.fromkeys(split_mark(label)[1] for label in task.labels))
        of_label = np.array([kinds.index(split_mark(label)[1]) for label in task.labels])
        named = [kind for kind in kinds if kind not in ("", OUTSIDE)]
        counted = [Counter(kind for *_, kind in of) for of in (claimed & true, claimed, true)]
        counts = [np.array([of[kind] for kind in named]) for of in counted]
        words = (of_label[values[there].astype(int)] for values in (labels, answers))
        return {
            **figures_of(named, class_figures(*counts)),
            **confusions(kinds, *words),
            "what": "kind",
        }

    def _word(
        self, task: "Task", split: Examples, answers: np.ndarray, place: int
    ) -> tuple[str, str, str]:
        """Return the text around a word, the word with its right label, and what was answered."""
        text = int(np.searchsorted(split.offsets, place, side="right")) - 1
        read = excerpt(split, text)
        number = int((split.labels[split.offsets[text] : place] >= 0).sum())
        words = read.split(" ")
        kept = len(words) - words[-1].endswith("…")  # the last one may be cut
        word = words[number] if read and number < kept else f"word {number + 1}"
        right, said = (task.labels[int(values[place])] for values in (split.labels, answers))
        return read, f"{word}: {right}", said

    def for_metric(
        self, metric: str, task: "Task", predictions: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if metric != "entity_f1":
            there = labels >= 0
            return predictions[there], labels[there]
        names = np.array([*task.labels, ""], dtype=object)
        kept = labels != CONTINUED
        answers = np.where(labels >= 0, predictions, -1)[kept].astype(int)
        return names[answers], names[np.maximum(labels, -1)[kept].astype(int)]


TASK_KINDS.register(Words.name)(Words())
