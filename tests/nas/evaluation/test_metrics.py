"""Metrics against scikit-learn and scipy, their edge cases, and the rules of the GLUE score."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from nas.evaluation.metrics import METRICS, OF_PROBABILITIES, glue_score, score, task_score
from nas.evaluation.suites.glue import GLUE, glue_task, glue_tasks
from search_spaces.errors import InvalidExperiment, TrialError, UnknownName

ORACLES = {
    "accuracy": lambda p, y: sklearn.metrics.accuracy_score(y, p),
    "f1": lambda p, y: sklearn.metrics.f1_score(y, p),
    "matthews": lambda p, y: sklearn.metrics.matthews_corrcoef(y, p),
    "pearson": lambda p, y: scipy.stats.pearsonr(p, y)[0],
    "macro_f1": lambda p, y: sklearn.metrics.f1_score(y, p, average="macro"),
    "auc": lambda p, y: sklearn.metrics.roc_auc_score(y, p[:, 1]),
    "spearman": lambda p, y: scipy.stats.spearmanr(p, y)[0],
    "micro_f1": lambda p, y: sklearn.metrics.f1_score(y, p, average="micro"),
    "exact_match": lambda p, y: sklearn.metrics.accuracy_score(y, p),
    "entity_f1": lambda p, y: _f1_of_spans(_spans(p), _spans(y)),
    "token_f1": lambda p, y: np.mean(
        [
            max(_f1_of_counts(said.split(), right.split()) for right in rights)
            for said, rights in zip(p, y, strict=True)
        ]
    ),
}
OF_SEVERAL_LABELS = ("micro_f1", "exact_match")


def _spans(labels):
    """First word, last word and type of each entity, by looking at every pair of words."""
    types, n = [label.partition("-")[2] for label in labels], len(labels)

    def goes_on(i):
        return labels[i].startswith("I-") and types[i] == types[i - 1] and i > 0

    starts = [i for i in range(n) if types[i] and not goes_on(i)]
    return {
        (i, j, types[i])
        for i in starts
        for j in range(i, n)
        if all(goes_on(k) for k in range(i + 1, j + 1)) and not (j + 1 < n and goes_on(j + 1))
    }


def _f1_of_spans(found, right):
    precision, recall = len(found & right) / len(found), len(found & right) / len(right)
    return 2 * precision * recall / (precision + recall)


def _f1_of_counts(said, right):
    """F1 of words as scikit-learn has it of classes: each copy of a word is a label of its own."""
    told = [
        {(word, words[:i].count(word)) for i, word in enumerate(words)} for words in (said, right)
    ]
    both = sorted(told[0] | told[1])
    rows = [[int(copy in words) for copy in both] for words in told]
    return sklearn.metrics.f1_score(rows[1], rows[0], zero_division=0)


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("seed", range(4))
def test_metrics_equal_the_libraries(name, seed):
    rng = np.random.default_rng(seed)
    if name in ("pearson", "spearman"):
        labels = rng.integers(0, 6, 50) + rng.integers(0, 2, 50) / 2
        predictions = labels + rng.normal(size=50).round(1)
    elif name == "entity_f1":
        labels = rng.choice(["O", "B-town", "I-town", "B-name", "I-name"], 80)
        predictions = np.where(rng.random(80) < 0.8, labels, "O")
    elif name == "token_f1":
        words = lambda: " ".join(rng.choice(["sea", "ship", "wind"], rng.integers(1, 5)))  # noqa: E731
        labels = [[words() for _ in range(rng.integers(1, 3))] for _ in range(30)]
        predictions = [words() for _ in labels]
    else:
        shape = (50, 3) if name in OF_SEVERAL_LABELS else 50
        labels, predictions = rng.integers(0, 2, shape), rng.integers(0, 2, shape)
    if name in OF_PROBABILITIES:
        predictions = np.stack([1 - predictions, predictions], 1) + rng.normal(size=(50, 2))
    assert METRICS[name](predictions, labels) == pytest.approx(ORACLES[name](predictions, labels))


@pytest.mark.parametrize("name", ["matthews", "pearson", "spearman", "f1"])
def test_constant_predictions_score_zero_not_nan(name):
    labels = np.array([0, 1, 1, 0])
    assert METRICS[name](np.zeros(4), labels) == 0.0
    assert METRICS[name](labels, np.zeros(4)) == 0.0


def test_predictions_that_are_no_numbers_fail_the_trial():
    with pytest.raises(TrialError, match="stsb: 1 of 2 predictions are NaN or infinite") as error:
        score("stsb", np.array([1.0, np.nan]), np.array([1.0, 2.0]))
    assert error.value.cause == "nan"
    with pytest.raises(ValueError, match="two vectors of the same length"):
        score("rte", np.zeros(3), np.zeros(2))


def test_each_task_has_its_official_metrics():
    metrics = {name: set(task.metrics) for name, task in GLUE.items()}
    assert metrics["cola"] == {"matthews"}
    assert metrics["mrpc"] == metrics["qqp"] == {"accuracy", "f1"}
    assert metrics["stsb"] == {"pearson", "spearman"}
    for name in ("sst2", "mnli", "qnli", "rte", "wnli"):
        assert metrics[name] == {"accuracy"}


def test_a_task_is_one_number():
    assert task_score("mrpc", {"dev": {"accuracy": 0.6, "f1": 0.8}}) == pytest.approx(0.7)
    both = {"matched": {"accuracy": 0.5}, "mismatched": {"accuracy": 0.7}}
    assert task_score("mnli", both) == pytest.approx(0.6)
    with pytest.raises(ValueError, match="mnli needs scores of"):
        task_score("mnli", {"matched": {"accuracy": 0.5}})


def test_glue_is_the_mean_of_the_tasks_present_without_wnli():
    scores = {"cola": 0.2, "rte": 0.6, "wnli": 0.5, "glue": 9.0}
    assert glue_score(scores) == pytest.approx(0.4)
    assert glue_score(scores, include_wnli=True) == pytest.approx(1.3 / 3)
    with pytest.raises(InvalidExperiment, match=r"at least one task, and \['wnli'\] was scored"):
        glue_score({"wnli": 0.5})


def test_names_are_found_in_any_usual_spelling():
    names = [task.name for task in glue_tasks(["SST-2, sts-b,CoLA", "sst_2"][0])]
    assert names == ["sst2", "stsb", "cola"]
    assert len(glue_tasks()) == 9
    assert glue_task("sst").name == "sst2"
    with pytest.raises(UnknownName, match="No GLUE task is called 'colla'. Did you mean 'cola'"):
        glue_tasks(["colla"])
    with pytest.raises(InvalidExperiment, match="The list of tasks is empty"):
        glue_tasks([])
    with pytest.raises(InvalidExperiment, match="'rte' is named twice"):
        glue_tasks(["rte", "RTE"])
