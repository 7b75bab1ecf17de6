"""Fine-tuning on one task, from the weights the encoder has, and scoring it on the dev set.

Unless asked to, nothing is selected on the development set: it is looked at once, at the end.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nas.data.batches import Batch, batches
from nas.data.prepared import EncodedSplit
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.metrics import task_score
from nas.evaluation.suites.task import Task
from nas.training.budget import WHOLE, Budget
from nas.training.checkpoint import Checkpoint, part, restore_training, training_state
from nas.training.device import autocast, length_multiple
from nas.training.distillation.base import Lesson
from nas.training.finetunings import Together, finetuning_of
from nas.training.loop import Loop
from nas.training.micro_batches import split_examples
from nas.training.optimizers import optimizer_of
from nas.training.prediction import Scale, judge
from nas.training.recipe import Recipe
from nas.training.schedules import schedule_of
from nas.training.seeds import named_seed, random_state
from nas.training.selection import BestPass
from nas.training.watch import Watch


@dataclass(frozen=True)
class Finetuning:
    """How fine-tuning on a task went.

    Attributes:
        score: The task's one number, larger is better.
        metrics: Split name -> metric name -> value.
        loss: Mean training loss of the last tenth of the steps.
        steps: Optimiser steps taken.
        scale: What turns the head's output of a regression into labels.
        passes: Passes over the training examples after which the weights were taken.
        constant: Whether some development split got one answer for all examples.
        notes: What the way of fine-tuning says of it.
        mistakes: Of a user's own task, where the answers to each development split are wrong, as
            `nas.evaluation.mistakes` keeps it.
    """

    score: float
    metrics: dict[str, dict[str, float]]
    loss: float
    steps: int
    scale: Scale = Scale()
    passes: int = 0
    constant: bool = False
    notes: Mapping[str, float] = field(default_factory=dict)
    mistakes: Mapping[str, dict[str, Any]] = field(default_factory=dict)


class Learnt(NamedTuple):
    """How training on a task went.

    Attributes:
        loss: Mean training loss of the last tenth of the steps.
        steps: Optimiser steps taken.
        scale: What turns the head's output of a regression into labels.
        passes: Passes over the training examples after which the weights were taken.
    """

    loss: float
    steps: int
    scale: Scale
    passes: int


class Scored(NamedTuple):
    """What a task's model reaches on its development splits.

    Attributes:
        score: The task's one number, larger is better.
        metrics: Split name -> metric name -> value.
        constant: Whether some split got one answer for all examples.
        mistakes: Split name -> where answers are wrong, of a user's own task.
    """

    score: float
    metrics: dict[str, dict[str, float]]
    constant: bool
    mistakes: dict[str, dict[str, Any]]


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
    select_on: Sequence[EncodedSplit] = (),
    lesson: Lesson | None = None,
    ways: Together | None = None,
) -> Finetuning:
    """Train `encoder` and `head` in place on the training split; score the development splits.

    Args:
        encoder: Its `pooled(tokens, keep, token_types)` gives one vector per sequence.
        head: Turns pooled states `(batch, width)` into `(batch, outputs)`.
        task: Says whether labels are classes or numbers, and which metrics count.
        splits: "train" and each development split of the task.
        recipe: Epochs, batch, learning rate.
        seed: Decides order and dropout.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        budget: How batches pass, and which pre-training this follows.
        checkpoint: Where the state is kept while this lasts, and continued from.
        select_on: Examples that are scored after each pass: the best pass's weights are taken.
            None of them takes the weights after the last step.
        lesson: What a teacher says of the training examples; then `budget` decides the number of
            steps, unless pre-training comes before them that is shorter.
        ways: Of fine-tuning; None for those of the recipe.

    Raises:
        TrialError: Training became unstable or ran out of time.
    """
    ways = finetuning_of(recipe) if ways is None else ways
    learnt = learn(
        encoder, head, task, splits["train"], recipe,
        seed=seed, watch=watch, precision=precision, budget=budget, checkpoint=checkpoint,
        select_on=select_on, lesson=lesson, ways=ways,
    )  # fmt: skip
    found = scored(encoder, head, task, splits, scale=learnt.scale, precision=precision)
    return Finetuning(
        **found._asdict(),
        loss=learnt.loss,
        steps=learnt.steps,
        scale=learnt.scale,
        passes=learnt.passes,
        notes=ways.notes,
    )


def learn(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    train: EncodedSplit,
    recipe: Recipe,
    *,
    seed: int,
    watch: Watch,
    precision: str = "fp32",
    budget: Budget = WHOLE,
    checkpoint: Checkpoint | None = None,
    select_on: Sequence[EncodedSplit] = (),
    lesson: Lesson | None = None,
    ways: Together | None = None,
) -> Learnt:
    """Train `encoder` and `head` in place on `train`; the arguments are those of `finetune`.

    Raises:
        TrialError: Training became unstable or ran out of time.
    """
    device = next(encoder.parameters()).device
    scale = Scale.of(train.labels) if task.is_regression else Scale()
    epochs, steps = planned_passes(len(train), recipe)
    a_pass = steps // epochs
    if lesson is not None and not lesson.follows:
        steps = max(1, round(steps * budget.share))
    ways = finetuning_of(recipe) if ways is None else ways
    with ExitStack() as stack:
        # what it adds starts alike, whether this is the first attempt or goes on with one
        with random_state(named_seed(seed, "added")):
            stack.enter_context(ways.applied(encoder))
        loop = Loop(
            [encoder, head],
            schedule=schedule_of(recipe, steps, steps, finetuning=True),
            learning_rate=recipe.finetune_learning_rate * budget.learning_rate_scale,
            weight_decay=recipe.weight_decay,
            clip=recipe.clip,
            stage=task.name,
            watch=watch,
            micro_batches=budget.micro_batches,
            optimizer=optimizer_of(recipe, "finetune_optimizer"),
        )
        modules = {"encoder": encoder, "head": head}
        best = BestPass(modules, task, select_on, scale=scale, precision=precision)
        state = _State(
            checkpoint,
            loop,
            modules,
            best,
            {"task": task.name, "seed": seed, "budget": budget.share},
        )
        encoder.train()
        head.train()
        with random_state(named_seed(seed, "dropout")):
            state.restore()
            order = named_seed(seed, "order")
            multiple = length_multiple(encoder.max_length, device)
            coming = task_batches(train, epochs, recipe, order, multiple, start=loop.step_number)
            for batch in islice(coming, steps - loop.step_number):
                losses = partial(
                    task_losses, modules, task, batch, scale, device, precision, ways,
                    lesson=lesson, progress=loop.step_number / steps, step=loop.step_number,
                )  # fmt: skip
                rate = loop.learning_rate
                loop.step(losses, len(batch.labels))
                ways.stepped(rate)
                if loop.step_number % a_pass == 0:
                    best.look(loop.step_number // a_pass)
                state.save_if_due()
        loss = loop.finish()
        best.take()
    return Learnt(loss, steps, scale, best.passes or epochs)


def scored(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    splits: Mapping[str, EncodedSplit],
    *,
    scale: Scale,
    precision: str,
) -> Scored:
    """Return score and metrics on the development splits, and where answers to them are wrong."""
    metrics, mistakes, constant = {}, {}, False
    for name in task.dev:
        answers, sure, metrics[name] = judge(
            encoder, head, task, splits[name], scale=scale, precision=precision
        )
        constant |= bool((answers == answers[:1]).all())
        if task.own:
            wrong = TASK_KINDS[task.kind].mistakes(task, splits[name], answers, sure)
            mistakes |= {} if wrong is None else {name: wrong.to_dict()}
    return Scored(task_score(task, metrics), metrics, constant, mistakes)


class _State:
    """Keeps and restores what the next step depends on."""

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        loop: Loop,
        modules: Mapping[str, nn.Module],
        best: BestPass,
        mark: dict[str, object],
    ):
        self._checkpoint, self._loop, self._modules = checkpoint, loop, modules
        self._best, self._mark = best, mark

    def restore(self) -> None:
        found = self._checkpoint.load("finetune") if self._checkpoint is not None else None
        if found is not None and found.values["mark"] == self._mark:
            restore_training(found.tensors, self._loop, self._modules)
            self._best.restore(part(found.tensors, "best"), found.values["best"])

    def save_if_due(self) -> None:
        if self._checkpoint is None or not self._checkpoint.due:
            return
        tensors = training_state(self._loop, self._modules)
        tensors |= {f"best.{name}": value for name, value in self._best.weights.items()}
        values = {"mark": self._mark, "best": [self._best.score, self._best.passes]}
        self._checkpoint.save("finetune", tensors, values)


def planned_passes(examples: int, recipe: Recipe) -> tuple[int, int]:
    """Return the passes over `examples` and the steps they make."""
    steps_a_pass = -(-examples // recipe.finetune_batch)
    passes = max(recipe.finetune_epochs, -(-recipe.finetune_steps // steps_a_pass))
    return passes, passes * steps_a_pass


def task_losses(
    modules: Mapping[str, nn.Module],
    task: Task,
    batch: Batch,
    scale: Scale,
    device: torch.device,
    precision: str,
    ways: Together,
    parts: int,
    *,
    lesson: Lesson | None = None,
    progress: float = 0.0,
    step: int = 0,
    weight: float = 1.0,
) -> Iterator[Tensor]:
    """Yield scalars whose sum is `weight` of the loss of a batch that passes in `parts` parts.

    With a lesson, `progress` is the share of the steps that are done, `step` their number.
    """
    encoder, head = modules["encoder"], modules["head"]
    for portion, share in split_examples(batch, parts):
        with autocast(precision, device):
            if lesson is None:
                loss = ways.loss(encoder, head, task, portion.to(device), scale)
            else:
                loss = lesson.loss(encoder, head, task, portion.to(device), scale, progress, step)
        share *= weight
        yield loss if share == 1.0 else loss * share


def task_batches(
    split: EncodedSplit,
    epochs: int,
    recipe: Recipe,
    seed: int,
    multiple: int,
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
            length_multiple=multiple,
        )
        yield from islice(found, position if epoch == first else 0, None)
