"""E2S2: an encoder tells what was shuffled or replaced, and finds a noisy text among others.

Source: Zhong et al., "E2S2: Encoding-Enhanced Sequence-to-Sequence Pretraining for Language
Understanding and Generation", IEEE TKDE 2024: weights of 0.05 each beside half of the decoder's
loss of either version; the vector of a text is the mean of its states; the contrast is summed over
both directions, at a temperature of 1.
Differs on purpose: of padding nothing is asked, where the released code leaves out the shuffled
tokens instead; means are of real tokens alone; the rate of replacing is the one that is set.
Our definition: both versions have the same gaps; `shuffle` is the share of tokens in a trigram;
without a decoder, the two losses of the encoder stand alone; a decoder has a table of its own to
read the text with, since an embedding may look at the token after, and writes with the head of
masked tokens.
"""

import math
from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.initialisation import initialise
from nas.training.device import autocast
from nas.training.objectives.base import PRETRAINING_OBJECTIVES, PretrainingObjective
from nas.training.objectives.contrastive import nt_xent
from nas.training.objectives.noise import IGNORED, REPLACED, NoisyBatch, noisy
from nas.training.objectives.passes import (
    VALIDATION_BATCH,
    from_batch,
    held_out,
    in_passes,
    mean_loss,
)
from nas.training.seeds import named_seed
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["objective"].kinds.register("e2s2")(
    Kind(
        "e2s2",
        "what was shuffled or replaced, and noisy texts against others",
        {
            "mask_rate": Setting(0.15, "line", most=0.9, weight=0.1),
            "shuffle": Setting(0.05, "line", most=0.5, weight=0.1),
            "replace": Setting(0.05, "line", most=0.5, weight=0.1),
            "contrastive": Setting(0.05, "line", weight=0.1),
            "detection": Setting(0.05, "line", weight=0.1),
            "decoder": Setting(0, "line", most=12, weight=0.05),
        },
    )
)


class Decoder(nn.Module):
    """Writes a text from left to right, looking at an encoder's states.

    Args:
        vocabulary_size: Ids are below it.
        width: Of the encoder's states and its own.
        heads: Of each layer; fewer where the width cannot be divided by so many.
        layers: How many.
        max_length: Tokens of the longest text.
        dropout: Probability that a feature is zeroed in training.
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int,
        *,
        heads: int,
        layers: int,
        max_length: int,
        dropout: float,
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, width)
        self.positions = nn.Embedding(max_length, width)
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                width, math.gcd(width, heads), 4 * width, dropout, "gelu", batch_first=True
            )
            for _ in range(layers)
        )
        self.apply(initialise)

    def forward(self, tokens: Tensor, states: Tensor, keep: Tensor) -> Tensor:
        """Return what comes after each token, hidden states `(batch, length, width)`.

        Args:
            tokens: Ids, `(batch, length)`.
            states: Of an encoder, `(batch, read, width)`.
            keep: True for its real tokens, `(batch, read)`.
        """
        length = tokens.shape[1]
        x = self.tokens(tokens) + self.positions.weight[:length]
        later = torch.ones(length, length, dtype=torch.bool, device=tokens.device).triu(1)
        for layer in self.layers:
            x = layer(x, states, tgt_mask=later, memory_key_padding_mask=~keep)
        return x


@PRETRAINING_OBJECTIVES.register("e2s2")
class NoisyTexts(PretrainingObjective):
    """Trains an encoder on texts with gaps, shuffled and replaced tokens.

    Args:
        mask_rate: Share of tokens that are hidden, in spans.
        shuffle: Share of tokens in a shuffled trigram; 0 for none.
        replace: Share of tokens that are replaced; 0 for none.
        contrastive: Weight of the contrast between texts; 0 for none.
        detection: Weight of telling what was done to each token; 0 for none.
        decoder: Layers of a decoder that writes the text without noise; 0 for no decoder.
    """

    def __init__(
        self,
        mask_rate: float,
        shuffle: float,
        replace: float,
        contrastive: float,
        detection: float,
        decoder: int,
    ):
        self.mask_rate, self.shuffle, self.replace = mask_rate, shuffle, replace
        self.contrastive, self.detection, self.decoder = contrastive, detection, decoder

    def begin(self, encoder: nn.Module, head: nn.Module, *, steps: int) -> None:
        self.modules = {}
        if self.detection:
            classes = 1 + bool(self.shuffle) + bool(self.replace)
            self.modules["detector"] = nn.Linear(encoder.width, classes)
            self.modules["detector"].apply(initialise)
        if self.decoder:
            self.modules["decoder"] = Decoder(
                encoder.vocabulary_size,
                encoder.width,
                heads=len(encoder.architecture.layers[-1].heads),
                layers=self.decoder,
                max_length=encoder.max_length,
                dropout=encoder.embeddings.dropout.p,
            )

    def batches(
        self,
        blocks: np.ndarray,
        *,
        batch_size: int,
        vocabulary_size: int,
        seed: int,
        start: int,
    ) -> Iterator[NoisyBatch]:
        seed = named_seed(seed, "noise")
        of_pass = partial(self._of_pass, blocks, batch_size, vocabulary_size, seed)
        return from_batch(start, blocks, batch_size, of_pass)

    def _of_pass(
        self, blocks: np.ndarray, batch_size: int, vocabulary_size: int, seed: int, epoch: int
    ) -> Iterator[NoisyBatch]:
        for chosen, rng in in_passes(blocks, batch_size, seed, epoch):
            yield noisy(
                chosen,
                gaps=self.mask_rate,
                shuffle=self.shuffle,
                replace=self.replace,
                vocabulary_size=vocabulary_size,
                rng=rng,
            )

    def losses(
        self,
        encoder: nn.Module,
        head: nn.Module,
        batch: NoisyBatch,
        device: torch.device,
        precision: str,
        parts: int,
    ) -> Iterator[Tensor]:
        """Yield the loss of each part; negatives are those of the same part."""
        rows, labelled = len(batch.text), int((batch.labels != IGNORED).sum())
        for chosen in torch.arange(rows).chunk(parts):
            own = NoisyBatch(*(value[chosen] for value in vars(batch).values()))
            inside = int((own.labels != IGNORED).sum())
            with autocast(precision, device):
                detection, contrast, written = self.each(encoder, head, own.to(device))
            yield (
                detection * (self.detection * inside / labelled)
                + (contrast * self.contrastive + written) * (len(chosen) / rows)
            )

    def each(
        self, encoder: nn.Module, head: nn.Module, batch: NoisyBatch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the losses of telling noise, of the contrast, of the decoder, means in nats.

        The decoder's is the mean over both versions; what is not wanted is 0.
        """
        both = bool(self.contrastive or self.decoder)
        keep = torch.cat([batch.keep, batch.keep]) if both else batch.keep
        tokens = torch.cat([batch.tokens, batch.plain]) if both else batch.tokens
        states = encoder(tokens, keep)
        nothing = torch.zeros((), device=states.device)
        detection = contrast = written = nothing
        if self.detection:
            detection = self._detection(states[: len(batch.text)], batch.labels)
        if self.contrastive:
            # the loss is a mean over both directions
            contrast = 2 * nt_xent(*mean_of_real(states.float(), keep).chunk(2), temperature=1.0)
        if self.decoder:
            text = torch.cat([batch.text, batch.text])
            after = self.modules["decoder"](text[:, :-1], states, keep)
            written = F.cross_entropy(head(after.flatten(0, 1)).float(), text[:, 1:].flatten())
        return detection, contrast, written

    def _detection(self, states: Tensor, labels: Tensor) -> Tensor:
        scores = self.modules["detector"](states).float()
        if scores.shape[-1] < REPLACED + 1:  # one noise alone has the class after "clean"
            labels = labels.clamp(max=scores.shape[-1] - 1)
        return F.cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)

    def validation_loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        blocks: np.ndarray,
        *,
        vocabulary_size: int,
        precision: str,
    ) -> float:
        """Return the mean loss of `blocks`, the same noise for every caller."""
        device = next(encoder.parameters()).device
        blocks = held_out(blocks)
        stream = self._of_pass(blocks, VALIDATION_BATCH, vocabulary_size, 0, 0)
        return mean_loss(
            islice(stream, -(-len(blocks) // VALIDATION_BATCH)),
            lambda batch: next(self.losses(encoder, head, batch, device, precision, 1)),
            lambda batch: len(batch.text),
            precision,
            encoder,
            head,
            *self.modules.values(),
        )


def mean_of_real(states: Tensor, keep: Tensor) -> Tensor:
    """Return the mean over real tokens of states `(batch, length, width)`, `(batch, width)`."""
    real = keep[:, :, None].to(states.dtype)
    return (states * real).sum(1) / real.sum(1).clamp(min=1.0)
