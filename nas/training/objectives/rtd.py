"""Replaced-token detection: a small generator fills gaps, the encoder says which tokens it wrote.

Source: Clark et al., "ELECTRA", ICLR 2020; He, Gao and Chen, "DeBERTaV3: Improving DeBERTa using
ELECTRA-Style Pre-Training with Gradient-Disentangled Embedding Sharing", ICLR 2023 (the three ways
of sharing embeddings, and the detector's head: it reads the first token with each). The weight is
that of the released code, 10; the paper's is 50.
Differs on purpose: one optimizer moves both models in one step, and what is clipped is the gradient
of both; with sharing "none" and "disentangled" neither loss reaches the other model's weights, so
that this is the decoupled training. Disentangled, the encoder's table is kept as the sum of the
generator's and its own difference, and follows the generator's steps after each of them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.data.batches import MaskedBatch, mlm_batches
from nas.models.encoder import Encoder
from nas.models.initialisation import initialise
from nas.models.outputs import make_output
from nas.training.device import autocast
from nas.training.micro_batches import split_masked
from nas.training.objectives.base import PRETRAINING_OBJECTIVES, PretrainingObjective
from nas.training.objectives.passes import VALIDATION_BATCH, from_batch, held_out, mean_loss
from nas.training.seeds import named_seed
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

if TYPE_CHECKING:
    from search_spaces.architectures.architecture import Architecture

SLOTS["objective"].kinds.register("rtd")(
    Kind(
        "rtd",
        "which tokens a generator replaced",
        {
            "mask_rate": Setting(0.15, "line", least=0.01, most=0.9, weight=0.1),
            "weight": Setting(10.0),
            "depth": Setting(0.5, "line", least=0.05, most=1, weight=0.05),
            "sharing": Setting(
                "disentangled", "name", ("disentangled", "shared", "none"), weight=0.04
            ),
        },
    )
)


class Detector(nn.Module):
    """Scores of how likely each token was replaced, `(batch, length)`.

    Args:
        width: Of the hidden states.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.dense = nn.LayerNorm(width), nn.Linear(width, width)
        self.output = nn.Linear(width, 1)
        self.apply(initialise)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states `(batch, length, width)` to scores `(batch, length)`."""
        both = self.norm(hidden + hidden[:, :1])
        return self.output(F.gelu(self.dense(both))).squeeze(-1)


@PRETRAINING_OBJECTIVES.register("rtd")
class ReplacedTokens(PretrainingObjective):
    """Trains a generator on masked tokens, and the encoder to tell what it filled in.

    Args:
        mask_rate: Share of tokens the generator fills.
        weight: Of the detection, beside the generator's loss.
        depth: Share of the encoder's layers, its first ones, that the generator has.
        sharing: Embeddings: "shared", "none", or "disentangled": the encoder's are the generator's,
            which its loss does not move, and a difference of its own.
    """

    def __init__(self, mask_rate: float, weight: float, depth: float, sharing: str):
        self.mask_rate, self.weight = mask_rate, weight
        self.depth, self.sharing = depth, sharing
        self._tables: list[tuple[nn.Parameter, nn.Parameter]] = []
        self._before: list[Tensor] = []

    def begin(self, encoder: nn.Module, head: nn.Module, *, steps: int) -> None:
        generator = Encoder(
            generator_of(encoder.architecture, self.depth),
            encoder.vocabulary_size,
            max_length=encoder.max_length,
            token_types=encoder.embeddings.types.num_embeddings,
            positions=encoder.positions,
            dropout=encoder.embeddings.dropout.p,
            pad_id=encoder.pad_id,
            texts=encoder.texts,
        )
        # none of these is read: the generator only fills gaps
        generator.pooler = nn.Identity()
        if self.sharing == "shared":
            generator.embeddings.tokens = encoder.embeddings.tokens
            generator.embeddings.positions = encoder.embeddings.positions
        self.modules = {
            "generator": generator,
            "filling": make_output(generator),
            "detector": Detector(encoder.width),
        }
        self._tables, self._before = [], []
        if self.sharing == "disentangled":
            device = next(encoder.parameters()).device
            generator.to(device)
            pairs = zip(_tables(generator), _tables(encoder), strict=True)
            self._tables = [(its, own) for its, own in pairs if its.requires_grad]
            with torch.no_grad():
                for its, own in self._tables:
                    its.copy_(own)  # the difference begins at zero

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
                seed=named_seed(seed, "replaced"),
                mask_rate=self.mask_rate,
                replacement="mask",
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
        self._before = [its.detach().clone() for its, _ in self._tables]
        for portion, share in split_masked(batch, parts):
            with autocast(precision, device):
                filling, detection = self.both(encoder, portion.to(device))
            # one sum: what layers want beside the objective is of both passes, and both are
            # differentiated once
            rows = len(portion.tokens) / len(batch.tokens)
            yield filling * share + detection * (self.weight * rows)

    def after_step(self) -> None:
        """Move the encoder's tables by what the generator's have moved."""
        with torch.no_grad():
            for (its, own), before in zip(self._tables, self._before, strict=True):
                own.add_(its - before)

    def both(self, encoder: nn.Module, batch: MaskedBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of the generator and that of the detection, means in nats."""
        generator, filling = self.modules["generator"], self.modules["filling"]
        logits = filling(generator(batch.tokens, batch.keep, at=batch.positions)).float()
        tokens, replaced = replace_tokens(batch, logits.detach())
        scores = self.modules["detector"](encoder(tokens, batch.keep)).float()
        found = F.binary_cross_entropy_with_logits(scores, replaced, reduction="none")
        return F.cross_entropy(logits, batch.targets), found[batch.keep].mean()

    def validation_loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        blocks: np.ndarray,
        *,
        vocabulary_size: int,
        precision: str,
    ) -> float:
        """Return the sum of both losses of `blocks`, the same gaps and draws for every caller."""
        device = next(encoder.parameters()).device
        batches = mlm_batches(
            held_out(blocks),
            batch_size=VALIDATION_BATCH,
            vocabulary_size=vocabulary_size,
            seed=0,
            mask_rate=self.mask_rate,
            replacement="mask",
            epochs=1,
            shuffle=False,
        )

        def loss(batch: MaskedBatch) -> Tensor:
            filling, detection = self.both(encoder, batch.to(device))
            return filling + self.weight * detection

        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            modules = (encoder, *self.modules.values())
            return mean_loss(batches, loss, lambda batch: len(batch.tokens), precision, *modules)


def generator_of(architecture: "Architecture", depth: float) -> "Architecture":
    """Return the architecture of a generator: the first layers, as wide as they are."""
    count = max(1, round(depth * len(architecture.layers)))
    return type(architecture)(architecture.layers[:count], architecture.style, architecture.parts)


def replace_tokens(batch: MaskedBatch, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return tokens with the gaps filled by draws, and 1 where they differ from what stood there.

    Args:
        batch: Gaps `(masked,)` in the flattened `(batch * length)`.
        logits: Of the gaps, `(masked, vocabulary)`.

    Returns:
        Both `(batch, length)`; a draw that hits what stood there counts as the original.
    """
    drawn = torch.multinomial(logits.softmax(-1), 1).squeeze(-1)
    tokens, replaced = batch.tokens.flatten().clone(), torch.zeros(batch.tokens.numel())
    replaced = replaced.to(logits.device)
    tokens[batch.positions] = drawn
    replaced[batch.positions] = (drawn != batch.targets).float()
    return tokens.view(batch.tokens.shape), replaced.view(batch.tokens.shape)


def _tables(encoder: nn.Module) -> list[nn.Parameter]:
    embeddings = encoder.embeddings
    places = [] if embeddings.positions is None else embeddings.positions.parameters()
    return [*embeddings.tokens.parameters(), *places]
