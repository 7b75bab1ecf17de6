"""The floor of counted words: better than a constant answer, and the same at every call."""

from dataclasses import dataclass

import numpy as np

from nas.evaluation.suites.task import Task
from nas.evaluation.tfidf import tfidf_floor


@dataclass
class Examples:
    first: list
    second: list | None
    labels: np.ndarray


def task(**facts):
    return Task(name="t", folder="", columns=("text",), label="label", source="", own=True, **facts)


def drawn(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count)
    said = (("sea", "ship"), ("corn", "field"), ("bank", "rate"))
    noise = [" ".join(rng.choice(["the", "a", "of", "and", "to"], 5)) for _ in labels]
    texts = [f"{n} {said[label][rng.integers(2)]}" for n, label in zip(noise, labels, strict=True)]
    return texts, labels


def test_classes_one_text_and_two():
    train, dev = drawn(120, 0), drawn(40, 1)
    row = task(labels=("a", "b", "c"), metrics=("accuracy", "macro_f1", "auc"))
    for second in (False, True):
        one, two = (
            Examples(texts, texts if second else None, labels) for texts, labels in (train, dev)
        )
        found = tfidf_floor(row, one, {"dev": two})
        assert found["accuracy"] == found["macro_f1"] == found["auc"] == 1.0
        assert found["score"] == 1.0
        assert {k: v for k, v in tfidf_floor(row, one, {"dev": two}).items() if k != "seconds"} == {
            k: v for k, v in found.items() if k != "seconds"
        }


def test_a_number_and_texts_without_words():
    texts, labels = drawn(120, 0)
    row = task(labels=(), metrics=("pearson", "spearman"))
    split = Examples(texts, None, labels.astype(np.float32))
    assert tfidf_floor(row, split, {"dev": split})["pearson"] > 0.9
    signs = Examples(["!", "?"] * 10, None, np.array([0, 1] * 10))
    row = task(labels=("a", "b"), metrics=("accuracy",))
    assert tfidf_floor(row, signs, {"dev": signs})["accuracy"] == 1.0
