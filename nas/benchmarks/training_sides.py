"""Two ways to train the same encoder on the same examples: ours and `transformers`' own."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas.benchmarks.training_examples import LONGEST, VOCABULARY
from nas.data.batches import Batch, batches
from nas.data.prepared import EncodedSplit
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.training.device import autocast, length_multiple
from nas.training.loop import Loop
from nas.training.schedule import Schedule
from nas.training.watch import Watch
from search_spaces import Architecture

BATCH = 32
RATE, DECAY, CLIP, STEPS = 1e-4, 0.01, 1.0, 1_000_000

Pass = Callable[[EncodedSplit, int], None]  # one pass over the examples, with its number


def bert_of(architecture: Architecture, attention: str = "sdpa", **settings: Any) -> nn.Module:
    """Build `BertModel` in the shape of a homogeneous attention architecture."""
    from transformers import BertModel

    return BertModel(_config(architecture, attention, **settings))


def _config(architecture: Architecture, attention: str, **settings: Any) -> Any:
    from transformers import BertConfig

    layer = architecture.layers[0]
    return BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=layer.width,
        num_hidden_layers=len(architecture.layers),
        num_attention_heads=len(layer.heads),
        intermediate_size=layer.feedforward[0],
        max_position_embeddings=settings.pop("longest", LONGEST),
        attn_implementation=attention,
        **settings,
    )


def our_training(architecture: Architecture, precision: str, device: torch.device) -> Pass:
    """Return what trains our encoder with batches of similar length."""
    encoder = Encoder(architecture, VOCABULARY, max_length=LONGEST).to(device)
    head = ClassificationHead(encoder.width, 2).to(device)
    loop = Loop(
        [encoder, head],
        schedule=Schedule.linear(STEPS, 0.1),
        learning_rate=RATE,
        weight_decay=DECAY,
        clip=CLIP,
        stage="benchmark",
        watch=Watch(),
    )

    def loss_of(batch: Batch) -> Tensor:
        with autocast(precision, device):
            pooled = encoder.pooled(batch.tokens, batch.keep, batch.token_types)
            return cross_entropy(head(pooled).float(), batch.labels.long())

    def train(split: EncodedSplit, epoch: int) -> None:
        multiple = length_multiple(LONGEST, device)
        found = batches(split, batch_size=BATCH, epoch=epoch, length_multiple=multiple)
        for batch in found:
            loop.step(loss_of(batch.to(device)))

    return train


def bert_training(
    architecture: Architecture,
    precision: str,
    device: torch.device,
    *,
    attention: str = "sdpa",
    fused: bool = True,
) -> Pass:
    """Return what trains `BertForSequenceClassification`, each batch padded to its longest.

    Args:
        architecture: The shape.
        precision: "fp32" or "bf16" (autocast).
        device: Where.
        attention: Implementation in `transformers`, "eager" or "sdpa".
        fused: AdamW as `transformers.Trainer` sets it up; False as torch does by itself.
    """
    from transformers import BertForSequenceClassification

    config = _config(architecture, attention, num_labels=2)
    model = BertForSequenceClassification(config).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=RATE, weight_decay=DECAY, fused=fused or None
    )

    def train(split: EncodedSplit, epoch: int) -> None:
        for tokens, keep, labels in _shuffled(split, epoch):
            with autocast(precision, device):
                loss = model(
                    input_ids=tokens.to(device, non_blocking=True),
                    attention_mask=keep.to(device, non_blocking=True),
                    labels=labels.to(device, non_blocking=True),
                ).loss
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            optimizer.zero_grad()

    return train


def _shuffled(split: EncodedSplit, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches in random order, padded to their longest example."""
    order = np.random.default_rng(epoch).permutation(len(split))
    lengths = np.diff(split.offsets)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        keep = np.arange(lengths[rows].max()) < lengths[rows][:, None]
        place = np.where(keep, split.offsets[rows][:, None] + np.arange(keep.shape[1]), 0)
        tokens = np.where(keep, split.tokens[place], 0).astype(np.int64)
        yield (
            torch.from_numpy(tokens),
            torch.from_numpy(keep.astype(np.int64)),
            torch.from_numpy(split.labels[rows].astype(np.int64)),
        )
