"""What each head of a fine-tuned encoder does for its answers, and which parts a cut keeps by that.

A few heads carry a task: two of 72 match the words of two sentences for STS-B in all-MiniLM-L6-v2,
and without them no training of a thin cut brings back what they did. How near a layer's output
stays says nothing of that, so heads that the answers rest on stay longest, and layers by their
heads.

Source: Michel, Levy and Neubig, "Are Sixteen Heads Really Better than One?", NeurIPS 2019 (heads
taken out one by one, and by the gradient).
Differs on purpose: heads are taken out one by one, since the gradient says little of a head whose
attention is sharp (a seventeenth for one of the two above); labels are not asked.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from nas.data.batches import Batch
from nas.models.encoder import Encoder
from nas.teachers.calibration import LayerWorth


@torch.inference_mode()
def heads_in_answers(
    encoder: Encoder,
    answer: Callable[[Tensor, Batch], Tensor],
    worth: Sequence[LayerWorth],
    batches: Sequence[Batch],
) -> list[Tensor]:
    """Return what the answers lose without each head, a tensor `(heads,)` a layer.

    That is the mean squared change of an example's answers where the mean of the head over the text
    stands in for it. It takes half as many passes as there are heads.

    Args:
        encoder: The fine-tuned one.
        answer: Hidden states `(batch, length, width)` and their batch to answers, of any shape.
        worth: Its calibration, for the means of its heads.
        batches: Some text.
    """
    encoder.eval()
    end = encoder.output_norm or torch.nn.Identity()
    found = [torch.zeros(len(own.head_order)) for own in worth]
    for batch in batches:
        x, states = encoder.embeddings(batch.tokens, batch.token_types), []
        for layer in encoder.layers:
            states.append(x)
            x = layer(x, batch.keep)
        whole = answer(end(x), batch)
        for number, (own, total) in enumerate(zip(worth, found, strict=True)):
            for head in range(len(total)):
                with _without(encoder.layers[number].mixed, own, head):
                    x = states[number]
                    for layer in encoder.layers[number:]:
                        x = layer(x, batch.keep)
                total[head] += float((answer(end(x), batch) - whole).square().sum())
    count = sum(len(batch.tokens) for batch in batches)
    return [total / max(1, count) for total in found]


@contextmanager
def _without(mixed: nn.Linear, own: LayerWorth, head: int) -> Iterator[None]:
    """Let a layer's output map read the mean of one head in place of it."""
    width = len(own.heads.mean) // len(own.head_order)
    features = slice(head * width, (head + 1) * width)

    def stand_in(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        read = given[0].clone()
        read[..., features] = own.heads.mean[features].to(read)
        return (read, *given[1:])

    hook = mixed.register_forward_pre_hook(stand_in)
    try:
        yield
    finally:
        hook.remove()


def answers_first(worth: Sequence[LayerWorth], effects: Sequence[Tensor]) -> list[LayerWorth]:
    """Return the calibration with the heads that answers rest on in front, those with most first.

    These are the heads with more than the mean of all layers; the others keep their order.

    Args:
        worth: Of each layer.
        effects: What the answers lose with each of its heads, `(heads,)`.
    """
    level = torch.cat(list(effects)).mean()
    found = []
    for own, effect in zip(worth, effects, strict=True):
        order = own.head_order
        carrying = effect[order] > level
        first = order[carrying]
        first = first[effect[first].argsort(descending=True, stable=True)]
        found.append(replace(own, head_order=torch.cat([first, order[~carrying]])))
    return found


def layers_by_answers(
    effects: Sequence[Tensor], fixed: Sequence[int] = ()
) -> list[tuple[int, ...]]:
    """Return, for each number of layers from one to all, which stay, ascending.

    The last one and those in `fixed` stay to the end; the others by what the answers lose with all
    of their heads.
    """
    sums = [float(effect.sum()) for effect in effects]
    last = len(sums) - 1
    order = sorted(range(len(sums)), key=lambda i: (i not in fixed, i != last, -sums[i], -i))
    return [tuple(sorted(order[:count])) for count in range(1, len(order) + 1)]
