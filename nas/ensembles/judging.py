"""The development examples of a run's tasks: what members say of them, and how that is scored."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from nas.data.prepared import PreparedData
from nas.ensembles.base import Answers
from nas.ensembles.knowledge import Knowledge
from nas.ensembles.known_words import read_knowledge
from nas.evaluation.agreement import binned, kappa
from nas.evaluation.metrics import score, task_score
from nas.evaluation.suites.task import Task


@dataclass(frozen=True)
class Words:
    """The texts of the examples, and what is known of their words.

    Attributes:
        texts: Task -> the text of each development example, in their order.
        knowledge: Vectors of the entities in them.
    """

    texts: Mapping[str, Sequence[str]]
    knowledge: Knowledge

    @classmethod
    def read(cls, path: Path, data: PreparedData, tasks: Sequence[Task], seed: int) -> "Words":
        """Read the vectors of the words of all development examples.

        Raises:
            InvalidData: The file cannot be read, or knows none of them.
        """
        tokenizer = data.tokenizer
        texts = {
            task.name: [
                tokenizer.decode(split.tokens[start:end])
                for split in (data.tasks[task.name][name] for name in task.dev)
                for start, end in zip(split.offsets[:-1], split.offsets[1:], strict=True)
            ]
            for task in tasks
        }
        every = [text for listed in texts.values() for text in listed]
        return cls(texts, read_knowledge(path, every, seed=seed))


@dataclass(frozen=True)
class Judged:
    """One task's development examples.

    Attributes:
        task: The task.
        labels: Of all development splits, one after the other, `(n,)`.
        bounds: Where each split begins, and the end of the last.
        answers: What members say.
    """

    task: Task
    labels: np.ndarray
    bounds: np.ndarray
    answers: Answers

    @classmethod
    def of(
        cls,
        task: Task,
        data: PreparedData,
        heard: Sequence[Mapping[str, tuple[np.ndarray, np.ndarray]]],
        known: Words | None,
    ) -> "Judged":
        """Put side by side what each member said of a task; see `nas.ensembles.members.hear`."""
        labels = [np.asarray(data.tasks[task.name][name].labels, np.float64) for name in task.dev]
        count = sum(map(len, labels))
        knowledge = np.zeros((count, 0))
        if known is not None:
            knowledge = known.knowledge.of_texts(known.texts[task.name])
        answers = Answers(
            np.stack([found[task.name][0] for found in heard]),
            np.concatenate([found[task.name][1] for found in heard], 1),
            knowledge,
        )
        return cls(task, np.concatenate(labels), np.cumsum([0, *map(len, labels)]), answers)

    @property
    def sizes(self) -> list[int]:
        """How many examples each split has."""
        return np.diff(self.bounds).tolist()

    def decided(self, said: np.ndarray) -> np.ndarray:
        """Return the answers, `(n,)`, of what was said, `(n, classes)`."""
        return said[:, 0] if self.answers.numbers else said.argmax(1).astype(np.float64)

    def score(self, said: np.ndarray, rows: Sequence[np.ndarray] | None = None) -> float:
        """Return the task's score of what was said, `(n, classes)`, on rows of each split."""
        decided, found = self.decided(said), {}
        for number, name in enumerate(self.task.dev):
            at = np.arange(self.bounds[number], self.bounds[number + 1])
            at = at if rows is None else at[rows[number]]
            found[name] = score(self.task, decided[at], self.labels[at], said[at])
        return task_score(self.task, found)

    def kappa(self, said: np.ndarray) -> float:
        """Return how far what was said agrees with the labels, beyond chance."""
        return self._agree(self.decided(said), self.labels)

    def agreement(self) -> float:
        """Return how far members agree with each other, the mean of all pairs."""
        decided = [self.decided(said) for said in self.answers.probabilities]
        return statistics.fmean(self._agree(a, b) for a, b in combinations(decided, 2))

    def _agree(self, first: np.ndarray, second: np.ndarray) -> float:
        if not self.answers.numbers:
            return kappa(first, second)
        return kappa(binned(first, self.labels), binned(second, self.labels), squared=True)
