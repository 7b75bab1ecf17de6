"""Predictions in the files that the GLUE benchmark takes, one for each test set.

Source: Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding", ICLR 2019, whose server reads tab-separated files with the columns "index" and
"prediction"; classes go by the names that the training files have.
"""

from pathlib import Path

import numpy as np

from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.whole_files import write_whole

# The diagnostic set is answered by a model of MNLI.
DIAGNOSTIC = "AX"
_SHORT = {"matched": "-m", "mismatched": "-mm"}


def submission_name(task: Task, split: str) -> str:
    """Return the file name of a test split: "CoLA.tsv", "MNLI-mm.tsv"."""
    if split == DIAGNOSTIC:
        return f"{DIAGNOSTIC}.tsv"
    return f"{task.folder}{_SHORT.get(split, '')}.tsv"


def answer_texts(task: Task, answers: np.ndarray) -> list[str]:
    """Return answers as the files write them: the names of classes, or numbers in range.

    Args:
        task: Names the classes, or the range of a regression.
        answers: Class numbers or real numbers, `(n,)`.
    """
    if task.own:
        return list(TASK_KINDS[task.kind].texts(task, answers))
    if task.is_regression:
        return [f"{value:.3f}" for value in np.clip(answers, *task.label_range)]
    return [task.labels[int(number)] for number in answers]


def predictions_text(task: Task, answers: np.ndarray) -> str:
    """Return the whole file: a header, then a row for each answer, in the order of the test set."""
    rows = [f"{index}\t{text}" for index, text in enumerate(answer_texts(task, answers))]
    return "\n".join(["index\tprediction", *rows]) + "\n"


def write_predictions(path: Path, task: Task, answers: np.ndarray) -> None:
    """Write a file of predictions, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, predictions_text(task, answers))
