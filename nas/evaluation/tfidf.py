"""The honest floor: what counting words reaches in seconds, without any network.

Words weighted by TF-IDF, with logistic regression for classes and ridge
regression for a number. A found model that does not beat it has not earned its training.

Source: Spärck Jones, "A Statistical Interpretation of Term Specificity and Its Application in
Retrieval", Journal of Documentation 1972; Wang and Manning, "Baselines and Bigrams: Simple, Good
Sentiment and Topic Classification", ACL 2012.
Differs on purpose: single words, and logistic regression in place of naive Bayes and support
vectors, with the defaults of scikit-learn but for `C` and the logarithm of counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from nas.evaluation.metrics import OF_PROBABILITIES, score, task_score
from nas.evaluation.suites.task import Task
from nas.evaluation.tfidf_of_choices import choice_floor

C = 30.0
_MOST_EXAMPLES = 20_000  # to learn from: seconds, not minutes
_MOST_FEATURES = 200_000


class Examples(Protocol):
    """Texts and their labels, as `nas.data.tables.Split` has them."""

    first: Sequence[str]
    second: Sequence[str] | None
    labels: np.ndarray


def tfidf_floor(
    task: Task, train: Examples, dev: Mapping[str, Examples], *, seed: int = 0
) -> dict[str, float] | None:
    """Return what counting words reaches on a task: "score", each metric, and "seconds".

    Args:
        task: Of a kind that this can learn; None is returned for another.
        train: What to learn from; of more than 20,000 examples, so many.
        dev: What to score on, by the names that the task has for it.
        seed: Decides which examples are taken.
    """
    if task.choices:
        return choice_floor(task, train, dev, most=_MOST_EXAMPLES, seed=seed)
    learn = _LEARNERS.get(task.kind)
    if learn is None:
        return None
    started = time.monotonic()
    rows = np.arange(len(train.first))
    if len(rows) > _MOST_EXAMPLES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_EXAMPLES, replace=False))
    turn = _Features(train, rows)
    model = learn().fit(turn.of(train, rows), train.labels[rows])
    found = {}
    for name in task.dev:
        split = dev[name]
        features = turn.of(split)
        answers = np.asarray(model.predict(features), dtype=np.float64)
        sure = None
        if OF_PROBABILITIES & set(task.metrics):
            sure = np.zeros((len(answers), len(task.labels)))
            sure[:, model.classes_.astype(int)] = model.predict_proba(features)
        found[name] = score(task, answers, np.asarray(split.labels), sure)
    metrics = {metric: value for split in found.values() for metric, value in split.items()}
    seconds = time.monotonic() - started
    return {"score": task_score(task, found), **metrics, "seconds": round(seconds, 1)}


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, max_iter=1000)


def _ridge() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=1.0)


def _one_by_one() -> Any:
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(_logistic())


_LEARNERS: dict[str, Callable[[], Any]] = {
    "classes": _logistic,
    "number": _ridge,
    "labels": _one_by_one,
}


class _Features:
    """Counts words of each text column by the vocabulary of the training examples."""

    def __init__(self, train: Examples, rows: np.ndarray):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._turns = []
        for texts in _columns(train):
            # a word that one example alone has says nothing, unless there are few of them
            turn = TfidfVectorizer(
                sublinear_tf=True, min_df=2 if len(rows) >= 100 else 1, max_features=_MOST_FEATURES
            )
            self._turns.append(_fit(turn, [texts[int(i)] for i in rows]))

    def of(self, split: Examples, rows: np.ndarray | None = None) -> Any:
        """Return the features of examples, `(n, features)`, sparse."""
        from scipy.sparse import hstack

        parts = []
        for turn, texts in zip(self._turns, _columns(split), strict=True):
            some = list(texts) if rows is None else [texts[int(i)] for i in rows]
            parts.append(turn.transform(some))
        return hstack(parts).tocsr()


def _fit(turn: Any, texts: list[str]) -> Any:
    try:
        return turn.fit(texts)
    except ValueError:  # no word of two letters: single characters, then
        return turn.set_params(token_pattern=r"(?u)\S", min_df=1).fit(texts)


def _columns(split: Examples) -> list[Sequence[str]]:
    return [split.first, *([] if split.second is None else [split.second])]
