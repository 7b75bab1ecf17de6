"""What a constant answer scores: the floor that any trained model has to leave behind."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.metrics import score, task_score
from nas.evaluation.suites.glue import glue_task
from nas.evaluation.suites.task import Task


class Labelled(Protocol):
    """Anything with the labels of a split, `(n,)`; of spans, with their texts, too."""

    labels: np.ndarray


def majority_score(task: Task | str, splits: Mapping[str, Labelled]) -> float:
    """Return the task's score for always answering the most frequent training label.

    Args:
        task: A task, or the name of a GLUE task.
        splits: "train" and the task's development splits. A regression answers the mean, which
            scores 0, as every correlation with a constant does here.
    """
    row = glue_task(task) if isinstance(task, str) else task
    return task_score(row, majority_metrics(row, splits))


def majority_metrics(row: Task, splits: Mapping[str, Labelled]) -> dict[str, dict[str, float]]:
    """Return split -> metric -> value of that answer."""
    kind = TASK_KINDS[row.kind]
    return {
        name: score(
            row, kind.without_reading(splits["train"], splits[name]), kind.right(splits[name])
        )
        for name in row.dev
    }
