"""Choosing among answers: which of several texts goes on from, explains or answers another."""

from typing import TYPE_CHECKING

import numpy as np

from nas.evaluation.kinds.base import TASK_KINDS, Examples
from nas.evaluation.kinds.classes import Classes, wrong_answers
from nas.evaluation.mistakes import Mistakes

if TYPE_CHECKING:
    from nas.evaluation.suites.task import Task


class Choice(Classes):
    """One of the answers of each row; labels are the places of the right ones, `(n,)`.

    Each answer is read together with what is asked and gets one number; the largest is chosen.

    Source: Radford et al., "Improving Language Understanding by Generative Pre-Training", 2018
    (a sequence for each answer, a linear map, a softmax over the answers).
    """

    name = "choice"
    title = "choosing among answers"
    metrics = ("accuracy",)
    allowed = ("accuracy",)
    problem_type = None
    pipeline = "multiple-choice"
    auto = "AutoModelForMultipleChoice"
    use = "# of {first}: ids of what is asked with each answer, (1, answers, length), to logits"

    def outputs(self, task: "Task") -> int:
        return 1

    def mistakes(
        self, task: "Task", split: Examples, answers: np.ndarray, sure: np.ndarray
    ) -> Mistakes:
        return Mistakes(**wrong_answers(task, split, answers, sure))


TASK_KINDS.register(Choice.name)(Choice())
