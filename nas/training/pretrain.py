"""Masked language modelling for a budget of tokens.

Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019; without next-sentence prediction, as Liu et al., "RoBERTa", 2019.
Differs on purpose: only masked positions go through the output head, which is most of the cost of
a small encoder.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas.data.batches import MaskedBatch, mlm_batches
from nas.training.device import autocast
from nas.training.loop import Loop
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state
from nas.training.watch import Watch

# Enough to tell architectures apart; all of a large validation set would cost more than it tells.
VALIDATION_TOKENS = 16_384
VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Pretraining:
    """How pre-training went.

    Attributes:
        loss: Mean loss of the last tenth of the steps, in nats per masked token.
        validation_loss: Loss on text held out, with masks that depend on no seed.
        steps: Optimiser steps taken.
        tokens: Tokens read.
    """

    loss: float
    validation_loss: float
    steps: int
    tokens: int


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
) -> Pretraining:
    """Train `encoder` and `head` in place to predict masked tokens.

    Args:
        encoder: Called as `encoder(tokens, keep)`, gives `(batch, length, width)`.
        head: Turns hidden states `(masked, width)` into logits `(masked, vocabulary)`.
        blocks: Text without padding, `(blocks, length)`; read again when the budget is larger.
        validation: Text held out, in the same form.
        recipe: Budget, batch, learning rate, mask rate.
        vocabulary_size: Ids that a random replacement is drawn from.
        seed: Decides order, masks and dropout.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).

    Raises:
        TrialError: Training became unstable or ran out of time.
    """
    device = next(encoder.parameters()).device
    batch_size = min(recipe.pretrain_batch, len(blocks))
    # the same number of steps for each architecture: whole batches that reach the budget
    steps = -(-recipe.pretrain_tokens // (batch_size * blocks.shape[1]))
    loop = Loop(
        [encoder, head],
        steps=steps,
        learning_rate=recipe.pretrain_learning_rate,
        warmup=recipe.warmup,
        weight_decay=recipe.weight_decay,
        clip=recipe.clip,
        stage="pretrain",
        watch=watch,
    )
    stream = mlm_batches(
        blocks,
        batch_size=batch_size,
        vocabulary_size=vocabulary_size,
        seed=named_seed(seed, "masks"),
        mask_rate=recipe.mask_rate,
    )
    tokens = 0
    encoder.train()
    head.train()
    with random_state(named_seed(seed, "pretrain dropout")):
        for _ in range(steps):
            batch = next(stream)
            with autocast(precision, device):
                loss = masked_loss(encoder, head, batch, device)
            loop.step(loss)
            tokens += batch.tokens.numel()
    return Pretraining(
        loss=loop.finish(),
        validation_loss=validation_loss(
            encoder, head, validation, recipe, vocabulary_size=vocabulary_size, precision=precision
        ),
        steps=steps,
        tokens=tokens,
    )


def masked_loss(
    encoder: nn.Module, head: nn.Module, batch: MaskedBatch, device: torch.device
) -> Tensor:
    """Return the mean cross entropy of the masked tokens, a scalar in nats."""
    hidden = encoder(batch.tokens.to(device), batch.keep.to(device))
    masked = hidden.flatten(0, 1).index_select(0, batch.positions.to(device))
    return cross_entropy(head(masked).float(), batch.targets.to(device))


def validation_loss(
    encoder: nn.Module,
    head: nn.Module,
    blocks: np.ndarray,
    recipe: Recipe,
    *,
    vocabulary_size: int,
    precision: str = "fp32",
) -> float:
    """Return the mean loss per masked token of `blocks`, the same masks for every caller."""
    device = next(encoder.parameters()).device
    blocks = blocks[: max(1, VALIDATION_TOKENS // blocks.shape[1])]
    total, count = torch.zeros((), device=device), 0
    encoder.eval()
    head.eval()
    with torch.inference_mode(), autocast(precision, device):
        for batch in mlm_batches(
            blocks,
            batch_size=VALIDATION_BATCH,
            vocabulary_size=vocabulary_size,
            seed=0,
            mask_rate=recipe.mask_rate,
            epochs=1,
            shuffle=False,
        ):
            total += masked_loss(encoder, head, batch, device) * len(batch.targets)
            count += len(batch.targets)
    return float(total) / max(1, count)
