"""The official metrics of GLUE, and the one number they are reduced to.

Source: Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding", ICLR 2019, table 1: Matthews correlation for CoLA, the mean of Pearson and Spearman
for STS-B, the mean of accuracy and F1 for MRPC and QQP, the mean of matched and mismatched for
MNLI, accuracy elsewhere.
Differs on purpose: WNLI is left out of the mean unless asked for, as usual since BERT, because a
constant answer beats models that try.

A metric takes predictions and labels, each `(n,)`; larger is better. Where a formula divides by
zero because all predictions are equal, the value is 0: such a model knows nothing.
"""

from collections.abc import Callable, Mapping

import numpy as np

from nas.evaluation.answer_texts import best_of, word_overlap
from nas.evaluation.entities import entities
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.glue import GLUE, glue_task
from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidExperiment, TrialError
from search_spaces.registry import Registry

Metric = Callable[[np.ndarray, np.ndarray], float]
METRICS: Registry[Metric] = Registry("metric", group="nas.metrics")
# Those that read how sure a model is of each class, `(n, classes)`, instead of its answers.
OF_PROBABILITIES = frozenset(("auc",))


@METRICS.register("accuracy")
def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of predictions that equal their label, in [0, 1]."""
    return float(np.mean(predictions == labels))


@METRICS.register("f1")
def f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall of class 1, in [0, 1]."""
    hits = np.sum((predictions == 1) & (labels == 1))
    claimed_or_true = np.sum(predictions == 1) + np.sum(labels == 1)
    return float(2 * hits / claimed_or_true) if claimed_or_true else 0.0


@METRICS.register("matthews")
def matthews(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the correlation of two binary variables, in [-1, 1]."""
    return pearson(predictions == 1, labels == 1)


@METRICS.register("pearson")
def pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the linear correlation, in [-1, 1]."""
    a = _unit(np.asarray(predictions, dtype=np.float64))
    b = _unit(np.asarray(labels, dtype=np.float64))
    return float(np.clip(a @ b, -1.0, 1.0))


@METRICS.register("spearman")
def spearman(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the linear correlation of ranks, ties sharing their mean rank, in [-1, 1]."""
    return pearson(_ranks(predictions), _ranks(labels))


@METRICS.register("macro_f1")
def macro_f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over classes of the harmonic mean of precision and recall, in [0, 1]."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="macro", zero_division=0))


@METRICS.register("micro_f1")
def micro_f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall over all labels of all texts, in [0, 1]."""
    hits = np.sum((predictions > 0) & (labels > 0))
    claimed_or_true = np.sum(predictions > 0) + np.sum(labels > 0)
    return float(2 * hits / claimed_or_true) if claimed_or_true else 0.0


@METRICS.register("exact_match")
def exact_match(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of texts all of whose labels are right, in [0, 1]."""
    return float(np.mean((predictions == labels).all(axis=1)))


@METRICS.register("entity_f1")
def entity_f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall of whole entities, in [0, 1].

    An entity is right where its first word, its last word and its type are. Labels without "B-" or
    "I-" other than "O" are entities of the words that follow each other with them.

    Source: Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared Task", CoNLL 2003.

    Args:
        predictions: Texts of labels, `(words,)`, with "" between one sentence and the next.
        labels: The same of what is right.
    """
    claimed, true = entities(predictions), entities(labels)
    both = len(claimed) + len(true)
    return 2 * len(claimed & true) / both if both else 0.0


@METRICS.register("token_f1")
def token_f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over questions of how many words answers have in common, in [0, 1].

    Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP
    2016 (the harmonic mean of precision and recall of words, against the nearest right answer).

    Args:
        predictions: Texts, `(questions,)`; "" for no answer.
        labels: For each question the texts that are right, none where it has no answer.
    """
    pairs = zip(predictions, labels, strict=True)
    return float(np.mean([best_of(word_overlap, said, rights) for said, rights in pairs]))


@METRICS.register("auc")
def auc(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the chance that a right example is put before a wrong one, in [0, 1].

    Of more than two classes the mean over them, each against the rest; of a class that no label
    has, nothing is said.

    Args:
        probabilities: How sure each class is, `(n, classes)`.
        labels: Class numbers, `(n,)`.
    """
    from sklearn.metrics import roc_auc_score

    if labels.ndim > 1:  # several labels at once: those that some text has and some has not
        mixed = [i for i in range(labels.shape[1]) if 0 < labels[:, i].sum() < len(labels)]
        each = [roc_auc_score(labels[:, i], probabilities[:, i]) for i in mixed]
        return float(np.mean(each)) if each else 0.5
    there = np.unique(labels).astype(int)
    if len(there) < 2:
        return 0.5
    if probabilities.shape[1] == 2:
        there = there[1:]
    each = [roc_auc_score(labels == number, probabilities[:, number]) for number in there]
    return float(np.mean(each))


def _unit(values: np.ndarray) -> np.ndarray:
    """Return centred values of Euclidean length 1; zeros where all values are equal."""
    if values.max() == values.min():
        return np.zeros_like(values)
    centred = values - values.mean()
    return centred / np.linalg.norm(centred)


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return ((last - count + 1 + last) / 2.0)[place]


def score(
    task: Task | str,
    predictions: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray | None = None,
) -> dict[str, float]:
    """Return each metric of `task` on one split.

    Args:
        task: A task, or the name of a GLUE task.
        predictions: Class numbers, or real numbers for a regression, `(n,)`; of several labels at
            once 0 or 1 for each, `(n, labels)`; of words and spans what their kind says.
        labels: The right answers in the same form, `(n,)`.
        probabilities: How sure each class is, `(n, classes)`, for the metrics that read it; None
            takes the answers for certain.

    Raises:
        TrialError: Predictions are not all finite; its cause is "nan".
    """
    task = glue_task(task) if isinstance(task, str) else task
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.shape != labels.shape or predictions.ndim > 1 + task.own or not len(labels):
        raise ValueError(
            f"{task.name}: predictions {predictions.shape} and labels {labels.shape} must be two "
            "vectors of the same length, at least 1"
        )
    wrong = count_broken(predictions)
    if wrong:
        raise TrialError(
            f"{task.name}: {wrong} of {len(predictions)} predictions are NaN or infinite; "
            "lower the learning rate or use a wider precision.",
            cause="nan",
        )
    kind, found = TASK_KINDS[task.kind], {}
    for name in task.metrics:
        given, right = kind.for_metric(name, task, predictions, labels)
        if name in OF_PROBABILITIES:
            given = _certain(task, predictions) if probabilities is None else probabilities
        found[name] = METRICS[name](given, right)
    return found


def count_broken(answers: np.ndarray) -> int:
    """Return how many answers are NaN or infinite, or, of spans, come from such logits."""
    if answers.dtype == object:
        return sum(answer is None for answer in answers)
    return int(np.sum(~np.isfinite(answers.astype(np.float64))))


def _certain(task: Task, predictions: np.ndarray) -> np.ndarray:
    if predictions.ndim > 1:
        return predictions
    return np.eye(len(task.labels))[predictions.astype(int)]


def task_score(task: Task | str, splits: Mapping[str, Mapping[str, float]]) -> float:
    """Return one number for a task: the mean of its metrics, then of its development splits.

    Args:
        task: A task, or the name of a GLUE task.
        splits: For each development split, what `score` gave; MNLI has two.
    """
    task = glue_task(task) if isinstance(task, str) else task
    missing = [name for name in task.dev if name not in splits]
    if missing:
        raise ValueError(f"{task.name} needs scores of {list(task.dev)}, not only {list(splits)}")
    return float(
        np.mean([np.mean([splits[name][metric] for metric in task.metrics]) for name in task.dev])
    )


def glue_score(scores: Mapping[str, float], *, include_wnli: bool = False) -> float:
    """Return the mean over the GLUE tasks present in `scores`; other keys are ignored.

    Args:
        scores: Task name -> what `task_score` gave.
        include_wnli: Count WNLI too.

    Raises:
        InvalidExperiment: No task is left to take the mean of.
    """
    counted = [name for name in GLUE if name in scores and (include_wnli or name != "wnli")]
    if not counted:
        raise InvalidExperiment(
            f"A GLUE score needs at least one task, and {sorted(scores) or 'nothing'} was scored. "
            f"Choose from {', '.join(GLUE)}; wnli counts only where it is asked for."
        )
    return float(np.mean([scores[name] for name in counted]))
