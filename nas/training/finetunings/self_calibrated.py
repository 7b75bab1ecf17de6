"""Labels that nothing else in the training set bears out are left out, or turned round.

Source: Zhong et al., "Bag of Tricks for Effective Language Model Pretraining and Downstream
Adaptation: A Case Study on GLUE" (Vega v1), 2023. How is our definition: the training set is cut
into folds, a fine-tuning on the others says how sure it is of each example of a fold, and one is
doubted whose label is improbable while another class is probable. A share of wrong labels keeps
probabilities from falling far below it, so that `least` must exceed it.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nas.data.prepared import EncodedSplit
from nas.evaluation.suites.task import Task
from nas.training.finetunings.base import FINETUNINGS, FineTuning, Rehearse, has_classes
from nas.training.selection import take_rows
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["finetuning"].kinds.register("self-calibrated")(
    Kind(
        "self-calibrated",
        "without labels that the rest of the training set doubts",
        {
            "folds": Setting(3, "line", least=2, most=20),
            "least": Setting(0.25, "line", most=1),
            "sure": Setting(0.75, "line", most=1),
            "doubted": Setting("drop", "name", ("drop", "flip")),
        },
    )
)


@FINETUNINGS.register("self-calibrated")
class SelfCalibrated(FineTuning):
    """Fine-tunes once for each fold, then on what is not doubted.

    Tasks whose answers are no classes are fine-tuned as they are.

    Args:
        folds: Parts of the training set.
        least: Probability below which a label is improbable.
        sure: Probability above which another class is probable.
        doubted: What becomes of such examples: "drop" leaves them out, "flip" gives them the
            probable class.
    """

    def __init__(self, folds: int, least: float, sure: float, doubted: str):
        self.folds, self.least, self.sure, self.doubted = folds, least, sure, doubted
        self.fits = folds + 1

    def examples(
        self, task: Task, splits: Mapping[str, EncodedSplit], rehearse: Rehearse
    ) -> Mapping[str, EncodedSplit]:
        train = splits["train"]
        if not has_classes(task) or len(train) < 2 * self.folds:
            return splits
        fold = np.random.default_rng(len(train)).permutation(len(train)) % self.folds
        probable: np.ndarray | None = None
        for number in range(self.folds):
            others, own = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            sure = rehearse(f"fold-{number}", take_rows(train, others), take_rows(train, own))
            probable = np.zeros((len(train), sure.shape[1])) if probable is None else probable
            probable[own] = sure
        wrong = doubtful(probable, train.labels, self.least, self.sure)
        self.notes = {"doubted": float(wrong.sum())}
        if self.doubted == "flip":
            labels = np.where(wrong, probable.argmax(1), train.labels).astype(train.labels.dtype)
            return {**splits, "train": replace(train, labels=labels)}
        kept = np.flatnonzero(~wrong)
        return {**splits, "train": take_rows(train, kept)} if len(kept) else splits


def doubtful(
    probable: np.ndarray, labels: np.ndarray, least: float, sure: float = 0.0
) -> np.ndarray:
    """Return which labels are doubted, boolean `(n,)`.

    Args:
        probable: How probable each class is, out of fold, `(n, classes)`.
        labels: Class numbers, `(n,)`.
        least: Probability below which a label is improbable.
        sure: Probability above which another class is probable.
    """
    rows, given = np.arange(len(labels)), np.asarray(labels).astype(int)
    others = probable.copy()
    others[rows, given] = -1.0
    return (probable[rows, given] < least) & (others.max(1) > sure)
