"""What is sure of the inputs that will be scored is learnt, too, without their labels.

Source: Zhong et al., "Bag of Tricks for Effective Language Model Pretraining and Downstream
Adaptation: A Case Study on GLUE" (Vega v1), 2023. How is our definition: a first fine-tuning labels
the inputs of the development and test examples; those it is sure of count `weight` each in a second
one from the same start. Scores are then of inputs that were learnt from, and compare with no
others': a search refuses it, and results say so.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor

from nas.data.batches import Batch
from nas.data.prepared import TEST, EncodedSplit
from nas.evaluation.kinds import TaskKind
from nas.evaluation.suites.task import Task
from nas.training.finetunings.base import FINETUNINGS, FineTuning, Rehearse, has_classes
from nas.training.prediction import Scale
from nas.training.selection import join_rows, take_rows
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["finetuning"].kinds.register("transductive")(
    Kind(
        "transductive",
        "learns from the inputs that are scored; never in a search",
        {
            "weight": Setting(0.5, "line", most=1),
            "confidence": Setting(0.9, "line", most=1),
        },
    )
)


@FINETUNINGS.register("transductive")
class Transductive(FineTuning):
    """Fine-tunes, labels what will be scored, and fine-tunes again with what it was sure of.

    Tasks whose answers are no classes are fine-tuned as they are.

    Args:
        weight: What an example that it labelled counts, beside 1 of the others.
        confidence: Probability from which it is sure.
    """

    fits = 2

    def __init__(self, weight: float, confidence: float):
        self.weight, self.confidence = weight, confidence
        self._labelled: int | None = None

    def examples(
        self, task: Task, splits: Mapping[str, EncodedSplit], rehearse: Rehearse
    ) -> Mapping[str, EncodedSplit]:
        if not has_classes(task) or self.weight == 0:
            return splits
        train = splits["train"]
        asked = join_rows([splits[n] for n in (*task.dev, TEST) if n in splits])
        # nobody may read what they are labelled
        asked = replace(asked, labels=np.zeros_like(asked.labels))
        probable = rehearse("first", train, asked)
        sure = np.flatnonzero(probable.max(1) >= self.confidence)
        self.notes = {"transductive": float(len(sure))}
        if not len(sure):
            return splits
        found = probable[sure].argmax(1).astype(train.labels.dtype)
        self._labelled = len(train)
        added = replace(take_rows(asked, sure), labels=found)
        return {**splits, "train": join_rows([train, added])}

    def task_loss(
        self, kind: TaskKind, outputs: Tensor, batch: Batch, scale: Scale
    ) -> Tensor | None:
        if self._labelled is None:
            return None
        given = batch.rows < self._labelled
        parts = ((given, 1.0), (~given, self.weight))
        losses = [
            weight * int(rows.sum()) * kind.loss(outputs[rows], batch.labels[rows], scale)
            for rows, weight in parts
            if bool(rows.any())
        ]
        return sum(losses) / len(given)
