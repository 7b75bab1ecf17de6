"""What counting words reaches at choosing among answers.

What is asked is the same for all answers of a row, so that a linear map of its words says nothing:
an answer is judged by its own words and by how many of them stand in what is asked.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from nas.evaluation.metrics import score, task_score
from nas.evaluation.suites.task import Task


class Choices(Protocol):
    """What is asked, the answers and which is right, as `nas.data.tables.Split` has them."""

    first: Sequence[str]
    choices: Sequence[Sequence[str]]
    labels: np.ndarray


def choice_floor(
    task: Task, train: Choices, dev: Mapping[str, Choices], *, most: int, seed: int = 0
) -> dict[str, float]:
    """Return what `nas.evaluation.tfidf.tfidf_floor` does, of a choice among answers.

    Source: the features are our definition: words of the answer weighted by TF-IDF, and the cosine
    between answer and what is asked.
    """
    from sklearn.linear_model import LogisticRegression

    started = time.monotonic()
    rows = np.arange(len(train.first))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    asked = [train.first[int(i)] for i in rows]
    answers = [train.choices[int(i)] for i in rows]
    words = _words([*asked, *(text for many in answers for text in many)])
    right = np.zeros(sum(map(len, answers)), int)
    right[_begins(answers) + train.labels[rows].astype(int)] = 1
    model = LogisticRegression(max_iter=1000).fit(_features(words, asked, answers), right)
    found = {}
    for name in task.dev:
        split = dev[name]
        sure = model.decision_function(_features(words, split.first, split.choices))
        parts = np.split(sure, _begins(split.choices)[1:])
        chosen = np.array([part.argmax() for part in parts], np.float64)
        found[name] = score(task, chosen, np.asarray(split.labels))
    metrics = {metric: value for split in found.values() for metric, value in split.items()}
    seconds = time.monotonic() - started
    return {"score": task_score(task, found), **metrics, "seconds": round(seconds, 1)}


def _begins(answers: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the place of each row's first answer among those of all rows, `(n,)`."""
    return np.concatenate([[0], np.cumsum([len(many) for many in answers])])[:-1]


def _words(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        return TfidfVectorizer(sublinear_tf=True).fit(texts)
    except ValueError:  # no word of two letters
        return TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\S").fit(texts)


def _features(words: Any, asked: Sequence[str], answers: Sequence[Sequence[str]]) -> Any:
    from scipy.sparse import csr_matrix, hstack

    said = words.transform([text for many in answers for text in many])
    question = words.transform(list(asked))
    beside = question[np.repeat(np.arange(question.shape[0]), [len(many) for many in answers])]
    alike = csr_matrix(said.multiply(beside).sum(1))
    return hstack([said, alike]).tocsr()
