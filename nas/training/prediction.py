"""What a fine-tuned model answers: outputs, losses, predictions and their scores."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nas.data.batches import Batch, batches, token_places
from nas.data.prepared import EncodedSplit
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.metrics import OF_PROBABILITIES, score
from nas.evaluation.suites.task import Task
from nas.training.device import autocast, length_multiple

# Evaluation keeps no activations, so that its batches may be larger than a training step's.
EVALUATION_BATCH, EVALUATION_TOKENS = 128, 16_384


@dataclass(frozen=True)
class Scale:
    """Labels of a regression as the model sees them: mean 0, standard deviation 1."""

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, labels: np.ndarray) -> "Scale":
        """Return the scale of the training labels."""
        return cls(float(labels.mean()), float(labels.std()) or 1.0)


class Judged(NamedTuple):
    """What is answered to a split, and how well.

    Attributes:
        answers: As `predict` returns them.
        sure: How sure each class is, `(n, classes)`; None for a number.
        metrics: Metric name -> value.
    """

    answers: np.ndarray
    sure: np.ndarray | None
    metrics: dict[str, float]


def task_loss(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    batch: Batch,
    scale: Scale,
    device: torch.device,
) -> Tensor:
    """Return the mean loss of a batch: cross entropy, or squared error of the scaled labels."""
    batch = batch.to(device)
    kind = TASK_KINDS[task.kind]
    outputs = outputs_of(encoder, head, batch, tokens=kind.reads_tokens)
    return kind.loss(outputs, batch.labels, scale)


def evaluate(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    split: EncodedSplit,
    *,
    scale: Scale,
    precision: str = "fp32",
) -> dict[str, float]:
    """Return each metric of `task` on `split`.

    Raises:
        TrialError: A prediction is not finite; its cause is "nan".
    """
    return judge(encoder, head, task, split, scale=scale, precision=precision).metrics


def judge(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    split: EncodedSplit,
    *,
    scale: Scale,
    precision: str = "fp32",
) -> Judged:
    """Return the answers to `split`, and each metric of `task` on them.

    Raises:
        TrialError: A prediction is not finite; its cause is "nan".
    """
    answers, sure = predict_surely(encoder, head, task, split, scale=scale, precision=precision)
    read = sure if OF_PROBABILITIES & set(task.metrics) else None
    metrics = score(task, answers, TASK_KINDS[task.kind].right(split), read)
    return Judged(answers, sure, metrics)


def predict(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    split: EncodedSplit,
    *,
    scale: Scale,
    precision: str = "fp32",
) -> np.ndarray:
    """Return class numbers, numbers of a regression, or spans, in the order of `split`."""
    return predict_surely(encoder, head, task, split, scale=scale, precision=precision)[0]


def predict_surely(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    split: EncodedSplit,
    *,
    scale: Scale,
    precision: str = "fp32",
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what `predict` does, and how sure each class is, `(n, classes)`; None for a number."""
    kind = TASK_KINDS[task.kind]
    device = next(encoder.parameters()).device
    predictions: np.ndarray | None = None
    sure: np.ndarray | None = None
    length = len(split.tokens) if kind.reads_tokens else len(split)
    encoder.eval()
    head.eval()
    with torch.inference_mode(), autocast(precision, device):
        for batch in batches(
            split,
            batch_size=EVALUATION_BATCH,
            token_budget=EVALUATION_TOKENS,
            shuffle=False,
            length_multiple=length_multiple(encoder.max_length, device),
        ):
            outputs = outputs_of(encoder, head, batch.to(device), tokens=kind.reads_tokens)
            places = batch.rows.numpy()
            if kind.reads_tokens:
                outputs, places = outputs[batch.keep.to(device)], token_places(split, batch)
            predictions = _put(predictions, kind.answers(outputs, scale), places, length)
            found = kind.probabilities(outputs)
            sure = None if found is None else _put(sure, found, places, length)
    if predictions is None:
        return np.zeros(0), sure
    return kind.of_examples(task, split, predictions, sure)


def _put(whole: np.ndarray | None, values: Tensor, places: np.ndarray, length: int) -> np.ndarray:
    """Return `whole`, or a new array of `length` rows, with values at places."""
    if whole is None:
        whole = np.zeros((length, *values.shape[1:]))
    whole[places] = values.double().cpu().numpy()
    return whole


def outputs_of(encoder: nn.Module, head: nn.Module, batch: Batch, *, tokens: bool) -> Tensor:
    """Return what a head says of a batch: a row an example, or with `tokens` one for each token."""
    read, flat = encoder if tokens else encoder.pooled, batch.sequences
    outputs = head(read(flat.tokens, flat.keep, flat.token_types)).float()
    return batch.side_by_side(outputs)
