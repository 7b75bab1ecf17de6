"""A cut made in steps: a part goes, what stays learns, what is worth least then goes next.

Source: Zhu and Gupta, "To Prune, or Not to Prune", ICLR workshop 2018 (gradual pruning); Xia, Zhong
and Chen, "Structured Pruning Learns Compact and Accurate Models", ACL 2022 (whole structures, with
distillation meanwhile).
Differs on purpose: the sizes between are geometric means, layer by layer; each step begins with the
refit of a cut made at once, or by magnitude without one, the usual baseline.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import nn

from nas.data.batches import batches
from nas.data.prepared import EncodedSplit
from nas.models.encoder import Encoder
from nas.teachers.calibration import LayerWorth, Moments, calibrate
from nas.teachers.extraction import extract
from nas.teachers.layer_choice import choose_layers, matching_layers
from nas.teachers.lessons import Cut, Lessons, Origin
from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer

if TYPE_CHECKING:
    from nas.models.heads import ClassificationHead

# What is read to see what parts are worth after a step, and to choose layers.
_CALIBRATION_BATCHES, _CHOICE_BATCHES, _BATCH = 12, 4, 32

# encoder, head, where it comes from, number of the step: trains both in place
Learn = Callable[[Encoder, "ClassificationHead", Origin, int], None]


def cut_in_steps(
    child: Architecture,
    lessons: Lessons,
    task: str,
    split: EncodedSplit,
    *,
    steps: int,
    build: Callable[[Architecture], Encoder],
    head: "ClassificationHead",
    learn: Learn,
    magnitude: bool = False,
) -> Cut:
    """Return what a student starts with whose teacher was cut in several steps.

    After each step but the last, what is left learns; the student itself is still to learn.

    Args:
        child: The student.
        lessons: The teacher's.
        task: Name of the task.
        split: Its training examples.
        steps: In how many.
        build: Builds an encoder, where it is to be trained.
        head: Its weights are the teacher's at first; it learns along.
        learn: Trains encoder and head.
        magnitude: Whether the smallest weights go, and nothing is refitted.
    """
    whole = lessons.architecture
    weights, worth = lessons.weights(task), lessons.worth(task)
    origin = lessons.origin(whole, task)
    chosen, here = lessons.layers(task), whole
    head.load_state_dict(lessons.cut(whole, task).classifier)
    if magnitude:
        worth = by_magnitude(_loaded(build(whole), weights))
    for step in range(1, steps + 1):
        size = between(whole, child, step / steps)
        layers = matching_layers(child, here, chosen, len(size.layers))
        if step < steps:
            size = _of_kinds(size, [here.layers[number] for number in layers])
        weights = extract(size, weights, worth, layers, refit=not magnitude)
        origin = origin.cut(size, worth, layers)
        here = size
        if step == steps:
            break
        encoder = _loaded(build(size), weights)
        learn(encoder, head, origin, step)
        text = [
            batch.to(next(encoder.parameters()).device)
            for batch in islice(batches(split, batch_size=_BATCH, seed=0), _CALIBRATION_BATCHES)
        ]
        encoder.eval()
        worth = by_magnitude(encoder) if magnitude else calibrate(encoder, text)
        chosen = choose_layers(encoder, text[:_CHOICE_BATCHES])
        weights = {name: value.cpu().clone() for name, value in encoder.state_dict().items()}
    classifier = {name: value.cpu().clone() for name, value in head.state_dict().items()}
    return Cut(weights, classifier, origin)


def between(whole: Architecture, child: Architecture, share: float) -> Architecture:
    """Return the cut that is a share of the way from a teacher to a student.

    In depth, heads and neurons the geometric mean, weighted; a layer that goes later is as large as
    the student's nearest one would be.
    """
    if share >= 1:
        return child
    depth = _mean(len(whole.layers), len(child.layers), share)
    layers = []
    for number in range(depth):
        small = child.layers[number * len(child.layers) // depth]
        large = whole.layers[number * len(whole.layers) // depth]
        heads = _mean(len(large.heads), len(small.heads), share)
        inner = _mean(large.feedforward[0], small.feedforward[0], share)
        # never more than any layer of the teacher has: which of them stay is not known here
        heads = min(heads, *(len(layer.heads) for layer in whole.layers))
        inner = min(inner, *(layer.feedforward[0] for layer in whole.layers))
        layers.append(Layer(small.width, (small.heads[0],) * heads, (inner,), small.parts))
    return Architecture(layers, parts=child.parts)


def _of_kinds(size: Architecture, kept: Sequence[Layer]) -> Architecture:
    """Return a cut whose layers are of the kinds of those that they come from."""
    layers = [
        Layer(of.width, (its.heads[0],) * len(of.heads), of.feedforward, its.parts)
        for of, its in zip(size.layers, kept, strict=True)
    ]
    return Architecture(layers, parts=size.parts)


def _mean(large: int, small: int, share: float) -> int:
    return max(small, round(large ** (1 - share) * small**share))


def share_kept(child: Architecture, whole: Architecture) -> float:
    """Return the share of a teacher's heads and neurons that a student keeps, of all layers."""
    kept, there = (
        sum(len(layer.heads) * layer.heads[0].width * 4 + 2 * layer.feedforward[0] for layer in of)
        for of in (child.layers, whole.layers)
    )
    return kept / there


def by_magnitude(encoder: Encoder) -> list[LayerWorth]:
    """Return in which order the smallest weights let heads and neurons go; nothing is read.

    Of a neuron the norms of what it reads and writes count, of a head those of its values and of
    what is read of it: their product.
    """
    found = []
    for layer in encoder.layers:
        (mixer,) = layer.mixers.values()
        joined = getattr(mixer, "query_key_value", None) or mixer.key_value
        value = joined.weight.detach()[-layer.mixed.in_features :]
        heads = _norms(value.T, mixer.head_width) * _norms(layer.mixed.weight, mixer.head_width)
        first = getattr(layer.feedforward, "gated", None) or layer.feedforward.stack
        # of gated units the rows of the gate and of what it multiplies
        inner = first[0].weight.detach().unflatten(0, (-1, layer.feedforward.inner[0]))
        neurons = inner.norm(dim=(0, 2)) * layer.feedforward.output.weight.detach().norm(dim=0)
        found.append(
            LayerWorth(
                _unread(layer.mixed),
                _unread(layer.feedforward.output),
                heads.argsort(descending=True, stable=True).cpu(),
                neurons.argsort(descending=True, stable=True).cpu(),
            )
        )
    return found


def _norms(weight: torch.Tensor, group: int) -> torch.Tensor:
    """Return the norm of each group of columns."""
    return weight.detach().unflatten(1, (-1, group)).norm(dim=(0, 2))


def _unread(linear: nn.Linear) -> Moments:
    n = linear.in_features
    return Moments(torch.zeros(n), torch.eye(n))


def _loaded(encoder: Encoder, weights) -> Encoder:
    encoder.load_state_dict(weights)
    return encoder
