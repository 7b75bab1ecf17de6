"""What pre-training reads when: phases of objectives, and shorter sequences first.

Phases (`rtd > rtd+contrastive`) have equal shares of the steps; a term that stands in several is
one, with what it has learnt. Short blocks are blocks cut in two.

Source: Devlin et al., "BERT", NAACL 2019 (shorter sequences first); Zhong et al., "Bag of Tricks
for Effective Language Model Pretraining and Downstream Adaptation: A Case Study on GLUE" (Vega v1),
2023 (phases). That phases share the steps equally is our definition.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from nas.data.tokenizer import CLS
from nas.training.objectives import PretrainingObjective
from nas.training.seeds import named_seed

Terms = Sequence[PretrainingObjective]


@dataclass(frozen=True)
class Stage:
    """Steps of pre-training whose batches are made alike.

    Attributes:
        terms: What is minimised, the sum of their losses.
        blocks: What is read, `(blocks, length)`.
        batch_size: Blocks in a step.
        first: Its first step.
        end: The step after its last.
    """

    terms: Terms
    blocks: np.ndarray
    batch_size: int
    first: int
    end: int


def planned_stages(
    phases: Sequence[Terms], blocks: np.ndarray, batch_size: int, steps: int, short: float
) -> list[Stage]:
    """Return the stages of a training, in order; together they have all of its steps.

    Args:
        phases: The terms of each phase.
        blocks: Text, `(blocks, length)`.
        batch_size: Blocks in a step.
        steps: Of the whole training.
        short: Share of them, the first ones, that read blocks half as long, twice as many.
    """
    ends = [round(steps * (number + 1) / len(phases)) for number in range(len(phases))]
    short_end = round(short * steps)
    halves = halved(blocks) if short_end else blocks
    found, first = [], 0
    for end in sorted({*ends, short_end} - {0}):
        terms = phases[next(number for number, last in enumerate(ends) if end <= last)]
        if end <= short_end:
            size = min(2 * batch_size, len(halves))
            found.append(Stage(terms, halves, size, first, end))
        else:
            found.append(Stage(terms, blocks, batch_size, first, end))
        first = end
    return found


def halved(blocks: np.ndarray) -> np.ndarray:
    """Return the halves of blocks `(n, length)`, `(2 n, length // 2)`; each begins with [CLS]."""
    half = blocks.shape[1] // 2
    found = np.array(blocks[:, : 2 * half]).reshape(-1, half)
    found[:, 0] = CLS
    return found


def stage_batches(
    stages: Sequence[Stage], vocabulary_size: int, seed: int, *, start: int
) -> Iterator[tuple[Terms, tuple[Any, ...]]]:
    """Yield the terms of each step and a batch for each of them, from step `start` on."""
    for number, stage in enumerate(stages):
        position = max(start, stage.first) - stage.first
        own = named_seed(seed, "stage", str(number)) if number else seed
        found = batch_streams(
            stage.terms, stage.blocks, stage.batch_size, vocabulary_size, own, start=position
        )
        for batch in islice(found, max(0, stage.end - stage.first - position)):
            yield stage.terms, batch


def batch_streams(
    terms: Terms,
    blocks: np.ndarray,
    batch_size: int,
    vocabulary_size: int,
    seed: int,
    *,
    start: int,
) -> Iterator[tuple[Any, ...]]:
    """Yield a batch of each term of the objective, without end, from number `start` on."""
    streams = [
        term.batches(
            blocks,
            batch_size=batch_size,
            vocabulary_size=vocabulary_size,
            seed=seed,
            start=start,
        )
        for term in terms
    ]
    return zip(*streams, strict=True)


def tokens_read(blocks: int, batch_size: int, steps: int) -> int:
    """Return the blocks in the first `steps` batches; the last batch of a pass may be smaller."""
    passes, left = divmod(steps, -(-blocks // batch_size))
    return passes * blocks + min(left * batch_size, blocks)
