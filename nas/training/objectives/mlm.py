"""Masked language modelling.

Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019; without next-sentence prediction, as Liu et al., "RoBERTa", 2019.
The falling rate: Yang, Zhang and Zhao, "Learning Better Masking for Better Language Model
Pre-training", ACL 2023. The z-loss: Chowdhery et al., "PaLM", JMLR 2023, with a weight of 1e-4.
Differs on purpose: only masked positions go through the output head, which is most of the cost of
a small encoder.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas.data.batches import MaskedBatch, mlm_batches
from nas.training.objectives.base import PRETRAINING_OBJECTIVES, PretrainingObjective
from nas.training.objectives.passes import (
    VALIDATION_BATCH,
    from_batch,
    held_out,
    mean_loss,
    part_losses,
)
from nas.training.seeds import named_seed


@PRETRAINING_OBJECTIVES.register("mlm")
class MaskedTokens(PretrainingObjective):
    """Predicts tokens that are hidden.

    Args:
        mask_rate: Share of tokens to predict.
        final_rate: The share in the last step, that in between on a line; 0 keeps `mask_rate`.
        z_loss: Weight of the squared logarithm of the softmax's denominator, which keeps logits
            near where their exponentials sum to one.
    """

    def __init__(self, mask_rate: float, final_rate: float = 0.0, z_loss: float = 0.0):
        self.mask_rate, self.final_rate, self.z_loss = mask_rate, final_rate, z_loss
        self.shares_start = not final_rate
        self._steps = 1

    def begin(self, encoder: nn.Module, head: nn.Module, *, steps: int) -> None:
        self._steps = steps

    def rate(self, step: int) -> float:
        """Return the share of tokens to predict at a step."""
        done = min(step / max(1, self._steps - 1), 1.0)
        return self.mask_rate + done * (self.final_rate - self.mask_rate)

    def batches(
        self,
        blocks: np.ndarray,
        *,
        batch_size: int,
        vocabulary_size: int,
        seed: int,
        start: int,
    ) -> Iterator[MaskedBatch]:
        def of_pass(epoch: int) -> Iterator[MaskedBatch]:
            return mlm_batches(
                blocks,
                batch_size=batch_size,
                vocabulary_size=vocabulary_size,
                seed=named_seed(seed, "masks"),
                mask_rate=self.rate if self.final_rate else self.mask_rate,
                first_epoch=epoch,
            )

        return from_batch(start, blocks, batch_size, of_pass)

    def losses(
        self,
        encoder: nn.Module,
        head: nn.Module,
        batch: MaskedBatch,
        device: torch.device,
        precision: str,
        parts: int,
    ) -> Iterator[Tensor]:
        def loss(portion: MaskedBatch) -> Tensor:
            more = (self.z_loss,) if self.z_loss else ()
            return masked_loss(encoder, head, portion, device, *more)

        return part_losses(batch, parts, loss, device, precision)

    def validation_loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        blocks: np.ndarray,
        *,
        vocabulary_size: int,
        precision: str,
    ) -> float:
        """Return the mean loss per masked token of `blocks`, the same masks for every caller."""
        device = next(encoder.parameters()).device
        batches = mlm_batches(
            held_out(blocks),
            batch_size=VALIDATION_BATCH,
            vocabulary_size=vocabulary_size,
            seed=0,
            mask_rate=self.mask_rate,
            epochs=1,
            shuffle=False,
        )
        return mean_loss(
            batches,
            lambda batch: masked_loss(encoder, head, batch, device),
            lambda batch: len(batch.targets),
            precision,
            encoder,
            head,
        )


def masked_loss(
    encoder: nn.Module,
    head: nn.Module,
    batch: MaskedBatch,
    device: torch.device,
    z_loss: float = 0.0,
) -> Tensor:
    """Return the mean cross entropy of the masked tokens, a scalar in nats.

    With `z_loss`, that weight times the mean squared log of the softmax's denominator is added.
    """
    batch = batch.to(device)
    masked = encoder(batch.tokens, batch.keep, at=batch.positions)
    logits = head(masked).float()
    loss = cross_entropy(logits, batch.targets)
    return loss + z_loss * logits.logsumexp(1).square().mean() if z_loss else loss
