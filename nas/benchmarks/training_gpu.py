"""How much of a GPU's matrix rate a training step reaches (model FLOPs utilisation).

Source: Chowdhery et al., "PaLM: Scaling Language Modeling with Pathways", JMLR 2023, appendix B.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from nas.benchmarks.training_speed import seconds_side_by_side
from nas.data.batches import MaskedBatch, mlm_batches
from nas.models.encoder import Encoder
from nas.models.outputs import make_output
from nas.training.device import autocast, compile_for
from nas.training.loop import Loop
from nas.training.schedule import Schedule
from nas.training.watch import Watch
from search_spaces import count_flops, named_architecture

VOCABULARY = 30_522
# name -> sequences in a batch, tokens of each
MODELS = {"bert-base": (64, 512), "bert-mini": (256, 512), "flexibert-mini": (256, 512)}


@dataclass(frozen=True)
class Utilisation:
    """What a pre-training step reached.

    Attributes:
        achieved: FLOP/s: three times those of the forward pass, over the time of a step.
        rate: bf16 FLOP/s of a product of large matrices on this device, measured.
        tokens: Tokens a second.
    """

    achieved: float
    rate: float
    tokens: float


def matrix_rate(device: torch.device, size: int = 8192, repeats: int = 10) -> float:
    """Return the bf16 FLOP/s of products of `size` x `size` matrices, the median."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    found = seconds_side_by_side({"product": lambda _: torch.mm(a, b)}, repeats, device)
    return 2 * size**3 / found["product"]


def utilisation(
    name: str, device: torch.device, rate: float, *, steps: int = 8, repeats: int = 3
) -> Utilisation:
    """Pre-train a named architecture in bf16 and compare with `rate`."""
    count, length = MODELS[name]
    architecture = named_architecture(name)
    encoder = Encoder(architecture, VOCABULARY, max_length=length).to(device).train()
    head = make_output(encoder).to(device).train()
    compile_for(encoder, device)
    loop = Loop(
        [encoder, head],
        schedule=Schedule.linear(1_000_000, 0.1),
        learning_rate=1e-4,
        weight_decay=0.01,
        clip=1.0,
        stage="benchmark",
        watch=Watch(),
    )
    batch = _batch(count, length).to(device)

    def train(_: int) -> None:
        for _ in range(steps):
            with autocast("bf16", device):
                hidden = encoder(batch.tokens, None)
                masked = hidden.flatten(0, 1).index_select(0, batch.positions)
                loss = cross_entropy(head(masked).float(), batch.targets)
            loop.step(loss)

    seconds = seconds_side_by_side({"step": train}, repeats, device)["step"] / steps
    flops = 3 * count * count_flops(architecture, length=length, vocabulary_size=VOCABULARY)
    # the head sees the masked tokens alone: its transform, and the decoder of all words
    width, first = encoder.width, architecture.layers[0].width
    flops += 3 * 2 * len(batch.positions) * (width * first + first * VOCABULARY)
    return Utilisation(flops / seconds, rate, count * length / seconds)


def _batch(count: int, length: int) -> MaskedBatch:
    import numpy as np

    blocks = np.random.default_rng(0).integers(5, VOCABULARY, (count, length)).astype(np.int32)
    return next(mlm_batches(blocks, batch_size=count, vocabulary_size=VOCABULARY))
