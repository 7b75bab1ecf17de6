"""Sentences against each other: two views of a block are alike, those of others are not.

Source: Gao, Yao and Chen, "SimCSE: Simple Contrastive Learning of Sentence Embeddings", EMNLP 2021
(dropout makes the views); Chen et al., "A Simple Framework for Contrastive Learning", ICML 2020
(the loss, NT-Xent); beside replaced tokens in a second phase: Zhong et al., Vega v1, 2023. The
sentences here are blocks of text, and the vector is the pooled one: our definition.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.data.batches import OnDevice
from nas.training.device import autocast
from nas.training.objectives.base import PRETRAINING_OBJECTIVES, PretrainingObjective
from nas.training.objectives.passes import VALIDATION_BATCH, from_batch, held_out, in_passes
from nas.training.seeds import named_seed
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["objective"].kinds.register("contrastive")(
    Kind(
        "contrastive",
        "two views of a text against others",
        {"temperature": Setting(0.05), "weight": Setting(1.0)},
    )
)


@dataclass(frozen=True)
class TextBatch(OnDevice):
    """Blocks of text as they are.

    Attributes:
        tokens: Ids, `(batch, length)` int64.
    """

    tokens: Tensor


@PRETRAINING_OBJECTIVES.register("contrastive")
class Contrastive(PretrainingObjective):
    """Draws the vectors of two dropout views of a block together, and all others apart.

    Args:
        temperature: What similarities are divided by.
        weight: Of the loss, in a sum with others.
    """

    def __init__(self, temperature: float, weight: float):
        self.temperature, self.weight = temperature, weight

    def batches(
        self,
        blocks: np.ndarray,
        *,
        batch_size: int,
        vocabulary_size: int,
        seed: int,
        start: int,
    ) -> Iterator[TextBatch]:
        seed = named_seed(seed, "contrasted")
        of_pass = partial(in_passes, blocks, batch_size, seed)
        for chosen, _ in from_batch(start, blocks, batch_size, of_pass):
            yield TextBatch(torch.from_numpy(chosen))

    def losses(
        self,
        encoder: nn.Module,
        head: nn.Module,
        batch: TextBatch,
        device: torch.device,
        precision: str,
        parts: int,
    ) -> Iterator[Tensor]:
        """Yield the loss of each part; negatives are those of the same part."""
        for tokens in batch.tokens.chunk(parts):
            with autocast(precision, device):
                loss = self._loss(encoder, tokens.to(device))
            yield loss * (self.weight * len(tokens) / len(batch.tokens))

    def _loss(self, encoder: nn.Module, tokens: Tensor) -> Tensor:
        pooled = encoder.pooled(torch.cat([tokens, tokens])).float()
        return nt_xent(*pooled.chunk(2), temperature=self.temperature)

    def validation_loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        blocks: np.ndarray,
        *,
        vocabulary_size: int,
        precision: str,
    ) -> float:
        """Return the mean loss of `blocks` without dropout: how far apart other texts are."""
        device = next(encoder.parameters()).device
        blocks = np.asarray(held_out(blocks), np.int64)
        encoder.eval()
        total = 0.0
        with torch.inference_mode(), autocast(precision, device):
            for tokens in torch.from_numpy(blocks).split(VALIDATION_BATCH):
                total += float(self._loss(encoder, tokens.to(device))) * len(tokens)
        return self.weight * total / len(blocks)


def nt_xent(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """Return the loss of two views `(batch, width)`, a mean over both directions and all rows.

    Each vector must find its other view among all others of both views.
    """
    both = F.normalize(torch.cat([first, second]), dim=-1)
    similar = both @ both.T / temperature
    own = torch.eye(len(both), dtype=torch.bool, device=both.device)
    found = torch.arange(len(both), device=both.device).roll(len(first))
    return F.cross_entropy(similar.masked_fill(own, float("-inf")), found)
