"""What a constant answer scores: the floor that any trained model has to leave behind."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from nas.evaluation.metrics import score, task_score
from nas.evaluation.suites.glue import glue_task


class Labelled(Protocol):
    """Anything with the labels of a split, `(n,)`."""

    labels: np.ndarray


def majority_score(task: str, splits: Mapping[str, Labelled]) -> float:
    """Return the task's score for always answering the most frequent training label.

    Args:
        task: Name of a GLUE task.
        splits: "train" and the task's development splits. A regression answers the mean, which
            scores 0, as every correlation with a constant does here.
    """
    row = glue_task(task)
    labels = np.asarray(splits["train"].labels)
    if row.is_regression:
        answer = labels.mean()
    else:
        values, counts = np.unique(labels, return_counts=True)
        answer = values[counts.argmax()]
    metrics = {}
    for name in row.dev:
        right = np.asarray(splits[name].labels)
        metrics[name] = score(row, np.full(len(right), answer), right)
    return task_score(row, metrics)
