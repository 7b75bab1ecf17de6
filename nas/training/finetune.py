"""Fine-tuning on one task, from the weights the encoder has, and scoring it on the dev set.

The development set is looked at once, after the last step: nothing is selected on it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from nas.data.batches import Batch, batches
from nas.data.prepared import EncodedSplit
from nas.evaluation.metrics import score, task_score
from nas.evaluation.suites.task import Task
from nas.training.budget import WHOLE, Budget
from nas.training.checkpoint import Checkpoint, restore_training, training_state
from nas.training.device import autocast
from nas.training.loop import Loop
from nas.training.micro_batches import split_examples
from nas.training.recipe import Recipe
from nas.training.schedule import Schedule
from nas.training.seeds import named_seed, random_state
from nas.training.watch import Watch

# Evaluation keeps no activations, so that its batches may be larger than a training step's.
EVALUATION_BATCH, EVALUATION_TOKENS = 128, 16_384
# Lengths are padded to few different ones: matrix libraries prepare a kernel for each new shape.
LENGTH_MULTIPLE = 4


@dataclass(frozen=True)
class Finetuning:
    """How fine-tuning on a task went.

    Attributes:
        score: The task's one number, larger is better.
        metrics: Split name -> metric name -> value.
        loss: Mean training loss of the last tenth of the steps.
        steps: Optimiser steps taken.
    """

    score: float
    metrics: dict[str, dict[str, float]]
    loss: float
    steps: int


@dataclass(frozen=True)
class Scale:
    """Labels of a regression as the model sees them: mean 0, standard deviation 1."""

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, labels: np.ndarray) -> "Scale":
        """Return the scale of the training labels."""
        return cls(float(labels.mean()), float(labels.std()) or 1.0)


def finetune(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    splits: Mapping[str, EncodedSplit],
    recipe: Recipe,
    *,
    seed: int,
    watch: Watch,
    precision: str = "fp32",
    budget: Budget = WHOLE,
    checkpoint: Checkpoint | None = None,
) -> Finetuning:
    """Train `encoder` and `head` in place on the training split; score the development splits.

    Args:
        encoder: Called as `encoder(tokens, keep, token_types)`, with a method `pool`.
        head: Turns pooled states `(batch, width)` into `(batch, outputs)`.
        task: Says whether labels are classes or numbers, and which metrics count.
        splits: "train" and each development split of the task.
        recipe: Epochs, batch, learning rate.
        seed: Decides order and dropout.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        budget: How batches pass, and which pre-training this follows.
        checkpoint: Where the state is kept while this lasts, and continued from.

    Raises:
        TrialError: Training became unstable or ran out of time.
    """
    device = next(encoder.parameters()).device
    train = splits["train"]
    scale = Scale.of(train.labels) if task.is_regression else Scale()
    epochs, steps = planned_passes(len(train), recipe)
    loop = Loop(
        [encoder, head],
        schedule=Schedule.linear(steps, recipe.warmup),
        learning_rate=recipe.finetune_learning_rate * budget.learning_rate_scale,
        weight_decay=recipe.weight_decay,
        clip=recipe.clip,
        stage=task.name,
        watch=watch,
    )
    modules = {"encoder": encoder, "head": head}
    mark = {"task": task.name, "seed": seed, "share": budget.share}
    encoder.train()
    head.train()
    with random_state(named_seed(seed, "dropout")):
        if checkpoint is not None:
            state = checkpoint.load("finetune")
            if state is not None and state.values == mark:
                restore_training(state.tensors, loop, modules)
        order = named_seed(seed, "order")
        multiple = _length_multiple(encoder)
        for batch in _passes(train, epochs, recipe, order, multiple, start=loop.step_number):
            loop.step(
                _losses(encoder, head, task, batch, scale, device, precision, budget.micro_batches)
            )
            if checkpoint is not None and checkpoint.due:
                checkpoint.save("finetune", training_state(loop, modules), mark)
    metrics = {
        name: evaluate(encoder, head, task, splits[name], scale=scale, precision=precision)
        for name in task.dev
    }
    return Finetuning(task_score(task, metrics), metrics, loop.finish(), steps)


def planned_passes(examples: int, recipe: Recipe) -> tuple[int, int]:
    """Return the passes over `examples` and the steps they make."""
    steps_a_pass = -(-examples // recipe.finetune_batch)
    passes = max(recipe.finetune_epochs, -(-recipe.finetune_steps // steps_a_pass))
    return passes, passes * steps_a_pass


def task_loss(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    batch: Batch,
    scale: Scale,
    device: torch.device,
) -> Tensor:
    """Return the mean loss of a batch: cross entropy, or squared error of the scaled labels."""
    outputs = _outputs(encoder, head, batch, device)
    labels = batch.labels.to(device)
    if task.is_regression:
        return mse_loss(outputs.squeeze(1), (labels - scale.mean) / scale.deviation)
    return cross_entropy(outputs, labels.long())


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
            length_multiple=_length_multiple(encoder),
        ):
            outputs = _outputs(encoder, head, batch, device)
            if task.is_regression:
                values = outputs.squeeze(1) * scale.deviation + scale.mean
            else:
                # a row of NaN has no largest entry; keep it visible instead of calling it class 0
                values = outputs.argmax(1).where(outputs.isfinite().all(1), torch.nan)
            predictions[batch.rows.numpy()] = values.double().cpu().numpy()
    return predictions


def _outputs(encoder: nn.Module, head: nn.Module, batch: Batch, device: torch.device) -> Tensor:
    hidden = encoder(batch.tokens.to(device), batch.keep.to(device), batch.token_types.to(device))
    return head(encoder.pool(hidden)).float()


def _length_multiple(encoder: nn.Module) -> int:
    """Return what lengths are rounded up to, so that none passes the encoder's longest."""
    return math.gcd(LENGTH_MULTIPLE, encoder.max_length)


def _losses(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    batch: Batch,
    scale: Scale,
    device: torch.device,
    precision: str,
    micro_batches: int,
) -> Iterator[Tensor]:
    for portion, share in split_examples(batch, micro_batches):
        with autocast(precision, device):
            loss = task_loss(encoder, head, task, portion, scale, device)
        yield loss if share == 1.0 else loss * share


def _passes(
    split: EncodedSplit,
    epochs: int,
    recipe: Recipe,
    seed: int,
    length_multiple: int,
    *,
    start: int = 0,
) -> Iterator[Batch]:
    """Yield the batches of all passes, from number `start` on."""
    first, position = divmod(start, -(-len(split) // recipe.finetune_batch))
    for epoch in range(first, epochs):
        found = batches(
            split,
            batch_size=recipe.finetune_batch,
            seed=seed,
            epoch=epoch,
            length_multiple=length_multiple,
        )
        yield from islice(found, position if epoch == first else 0, None)
