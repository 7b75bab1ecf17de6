"""What a fine-tuned model answers: outputs, losses, predictions and their scores."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from nas.data.batches import Batch, batches
from nas.data.prepared import EncodedSplit
from nas.evaluation.metrics import score
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
    outputs = _outputs(encoder, head, batch)
    if task.is_regression:
        return mse_loss(outputs.squeeze(1), (batch.labels - scale.mean) / scale.deviation)
    return cross_entropy(outputs, batch.labels.long())


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
    return score(
        task, predict(encoder, head, task, split, scale=scale, precision=precision), split.labels
    )


def predict(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    split: EncodedSplit,
    *,
    scale: Scale,
    precision: str = "fp32",
) -> np.ndarray:
    """Return class numbers, or real numbers for a regression, in the order of `split`."""
    device = next(encoder.parameters()).device
    predictions = np.zeros(len(split), dtype=np.float64)
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
            outputs = _outputs(encoder, head, batch.to(device))
            if task.is_regression:
                values = outputs.squeeze(1) * scale.deviation + scale.mean
            else:
                # a row of NaN has no largest entry; keep it visible instead of calling it class 0
                values = outputs.argmax(1).where(outputs.isfinite().all(1), torch.nan)
            predictions[batch.rows.numpy()] = values.double().cpu().numpy()
    return predictions


def _outputs(encoder: nn.Module, head: nn.Module, batch: Batch) -> Tensor:
    return head(encoder.pooled(batch.tokens, batch.keep, batch.token_types)).float()
