"""Pre-training by the recipe's objective for a budget of tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.training.budget import WHOLE, Budget
from nas.training.checkpoint import Checkpoint, State, restore_training, training_state
from nas.training.loop import Loop
from nas.training.objectives import PretrainingObjective, objectives_of, own_modules
from nas.training.optimizers import optimizer_of
from nas.training.recipe import Recipe
from nas.training.schedule import Schedule
from nas.training.schedules import schedule_of
from nas.training.seeds import named_seed, random_state
from nas.training.stages import Stage, planned_stages, stage_batches, tokens_read
from nas.training.watch import Watch


@dataclass(frozen=True)
class Pretraining:
    """How pre-training went.

    Attributes:
        loss: Mean loss of the last tenth of the steps; of masked tokens, in nats a token.
        validation_loss: Loss on text held out, with nothing drawn that depends on a seed.
        steps: Optimiser steps taken.
        tokens: Tokens read, by earlier calls of the same trial too.
        resumed_at: Step that a checkpoint continued from; 0 for a fresh start.
    """

    loss: float
    validation_loss: float
    steps: int
    tokens: int
    resumed_at: int = 0


def pretrain(
    encoder: nn.Module,
    head: nn.Module,
    blocks: np.ndarray,
    validation: np.ndarray,
    recipe: Recipe,
    *,
    vocabulary_size: int,
    seed: int,
    watch: Watch,
    precision: str = "fp32",
    budget: Budget = WHOLE,
    checkpoint: Checkpoint | None = None,
) -> Pretraining:
    """Train `encoder` and `head` in place by the objective of `recipe`.

    Args:
        encoder: Called as `encoder(tokens, keep, at=places)`, gives `(places, width)`.
        head: Turns hidden states `(masked, width)` into logits `(masked, vocabulary)`.
        blocks: Text without padding, `(blocks, length)`; read again when the budget is larger.
        validation: Text held out, in the same form.
        recipe: Budget, batch, learning rate, objective, optimizer, schedule.
        vocabulary_size: Ids that a random replacement is drawn from.
        seed: Decides order, masks and dropout.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        budget: Share of the recipe's tokens, and how they pass.
        checkpoint: Where the state is kept, and continued from, also at a larger share than it was
            written at: the weights are then those of a call that had this share from the start.

    Raises:
        TrialError: Training became unstable or ran out of time.
    """
    device = next(encoder.parameters()).device
    batch_size = min(recipe.pretrain_batch, len(blocks))
    schedule = planned_schedule(recipe, batch_size * blocks.shape[1], budget.share)
    phases = objectives_of(recipe)
    stages = planned_stages(phases, blocks, batch_size, schedule.steps, recipe.short_blocks)
    terms = list(dict.fromkeys(term for phase in phases for term in phase))
    with random_state(named_seed(seed, "objective")):
        for term in terms:
            term.begin(encoder, head, steps=schedule.steps)
    modules = {"encoder": encoder, "mlm": head, **on_device(own_modules(phases), device)}
    branch = shared_steps(schedule, stages)
    loop = Loop(
        modules.values(),
        schedule=schedule,
        learning_rate=learning_rate(recipe, encoder) * budget.learning_rate_scale,
        weight_decay=recipe.weight_decay,
        clip=recipe.clip,
        stage="pretrain",
        watch=watch,
        micro_batches=budget.micro_batches,
        optimizer=optimizer_of(recipe),
    )
    for module in modules.values():
        module.train()
    with random_state(named_seed(seed, "pretrain dropout")):
        if checkpoint is not None:
            _continue(checkpoint, schedule, branch, loop, modules)
        resumed_at = loop.step_number
        for summed, batch in stage_batches(stages, vocabulary_size, seed, start=resumed_at):
            losses = partial(batch_losses, summed, encoder, head, batch, device, precision)
            loop.step(losses, max(len(own.tokens) for own in batch))
            for term in summed:
                term.after_step()
            if checkpoint is not None:
                _keep(checkpoint, schedule, branch, loop, modules)
    return Pretraining(
        loss=loop.finish(),
        validation_loss=validation_loss(
            encoder,
            head,
            validation,
            recipe,
            vocabulary_size=vocabulary_size,
            precision=precision,
            terms=phases[-1],
        ),
        steps=schedule.steps,
        tokens=sum(
            tokens_read(len(s.blocks), s.batch_size, s.end - s.first) * s.blocks.shape[1]
            for s in stages
        ),
        resumed_at=resumed_at,
    )


def on_device(modules: dict[str, nn.Module], device: torch.device) -> dict[str, nn.Module]:
    """Move modules to a device; return them."""
    return {name: module.to(device) for name, module in modules.items()}


def learning_rate(recipe: Recipe, encoder: nn.Module) -> float:
    """Return the peak learning rate of an encoder: the recipe's, made to follow its size.

    Source: Yang et al., "Tensor Programs V", 2022 (with Adam, in inverse proportion to the width);
    "Tensor Programs VI", ICLR 2024 (to the root of the depth). The reference of 64 and 2 is ours.
    """
    if not recipe.size_exponent:
        return recipe.pretrain_learning_rate
    layers = encoder.architecture.layers
    width = sum(layer.width for layer in layers) / len(layers)
    factor = 64 / width * (2 / len(layers)) ** 0.5
    return recipe.pretrain_learning_rate * factor**recipe.size_exponent


def shared_steps(schedule: Schedule, stages: Sequence[Stage]) -> int:
    """Return how many first steps a longer training has in common with this one."""
    if not all(term.shares_start for stage in stages for term in stage.terms):
        return 0
    return schedule.branch if len(stages) == 1 else min(schedule.branch, stages[0].end)


def planned_schedule(recipe: Recipe, tokens_a_step: int, share: float) -> Schedule:
    """Return the steps and learning rates of `share` of the recipe's budget.

    Every architecture gets the same number of steps: whole batches that reach the budget.
    """
    full_steps = -(-recipe.pretrain_tokens // tokens_a_step)
    steps = max(1, round(share * full_steps))
    return schedule_of(recipe, steps, full_steps, finetuning=False)


def batch_losses(
    terms: Sequence[PretrainingObjective],
    encoder: nn.Module,
    head: nn.Module,
    batch: tuple[Any, ...],
    device: torch.device,
    precision: str,
    parts: int,
) -> Iterator[Tensor]:
    """Yield scalars whose sum is the loss of a batch, given what each term gets of it."""
    for term, own in zip(terms, batch, strict=True):
        yield from term.losses(encoder, head, own, device, precision, parts)


def _keep(
    checkpoint: Checkpoint,
    schedule: Schedule,
    branch: int,
    loop: Loop,
    modules: dict[str, nn.Module],
) -> None:
    """Save the state where a longer training would part from this one, in time, and at the end."""
    step = loop.step_number
    names = []
    if step == branch and step < schedule.steps and checkpoint.kept:
        names.append("branch")
    if checkpoint.kept and (checkpoint.due or step == schedule.steps):
        names.append("pretrain")
    for name in names:
        values = {"step": step, "steps": schedule.steps, "branch": branch}
        checkpoint.save(name, training_state(loop, modules), values)


def _continue(
    checkpoint: Checkpoint,
    schedule: Schedule,
    branch: int,
    loop: Loop,
    modules: dict[str, nn.Module],
) -> None:
    """Restore the furthest state that lies on the way of `schedule`, if there is one."""
    found = [checkpoint.load(name) for name in ("pretrain", "branch")]
    there = [state for state in found if state is not None]
    usable = [state for state in there if _on_the_way(state, schedule, branch)]
    if usable:
        furthest = max(usable, key=lambda state: state.values["step"])
        restore_training(furthest.tensors, loop, modules)


def _on_the_way(state: State, schedule: Schedule, branch: int) -> bool:
    step, steps = state.values["step"], state.values["steps"]
    same = steps == schedule.steps
    return same or step <= min(state.values["branch"], branch)


def validation_loss(
    encoder: nn.Module,
    head: nn.Module,
    blocks: np.ndarray,
    recipe: Recipe,
    *,
    vocabulary_size: int,
    precision: str = "fp32",
    terms: Sequence[PretrainingObjective] | None = None,
) -> float:
    """Return the loss of text held out by the recipe's objective, alike for every seed.

    Of several phases it is that of the last. `terms` are those that were trained, with what they
    have of their own.
    """
    return sum(
        term.validation_loss(
            encoder, head, blocks, vocabulary_size=vocabulary_size, precision=precision
        )
        for term in terms or objectives_of(recipe)[-1]
    )
