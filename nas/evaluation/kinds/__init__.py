"""Kinds of tasks; importing this registers those that come along."""

from nas.evaluation.kinds import choice, classes, labels, number, span, words
from nas.evaluation.kinds.base import TASK_KINDS, TaskKind

__all__ = ["TASK_KINDS", "TaskKind", "choice", "classes", "labels", "number", "span", "words"]
