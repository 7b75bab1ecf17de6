"""What a trained encoder's parts are worth, from one pass over text.

Of each layer the second moments of what its two output maps read are collected: the joined heads
and the inner feed-forward. From them follows in which order neurons and heads can go, each time
with the rest adjusted to stand in for what went; and with them a cut refits its maps.

Source: Hassibi and Stork, "Second Order Derivatives for Network Pruning: Optimal Brain Surgeon",
NIPS 1992, on the output of one map; Frantar and Alistarh, "Optimal Brain Compression", NeurIPS
2022; Kurtic, Frantar and Alistarh, "ZipLM", NeurIPS 2023 (whole structures).
Differs on purpose: moments are central where a bias is refitted, too; what holds a map to its old
weights is a ridge towards them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.data.batches import Batch
from nas.models.encoder import Encoder

RIDGE = 0.1  # of the mean of the diagonal
# Neurons that go at a time: one by one would give the same order but for near ties.
_STEP = 16


@dataclass(frozen=True)
class Moments:
    """What one output map reads: mean `(n,)` and ridged central second moments `(n, n)`.

    Of a map without a bias, which can stand in for no mean, the mean is zero and the moments are
    not central.
    """

    mean: Tensor
    second: Tensor


@dataclass(frozen=True)
class LayerWorth:
    """One layer's calibration.

    Attributes:
        heads: Of the joined heads.
        feedforward: Of the inner feed-forward.
        head_order: Numbers of the heads, the last one to go first, `(heads,)`.
        feedforward_order: The same for neurons, `(inner,)`.
    """

    heads: Moments
    feedforward: Moments
    head_order: Tensor
    feedforward_order: Tensor

    def kept_heads(self, count: int) -> Tensor:
        """Return the numbers of the `count` heads that stay, ascending, `(count,)`."""
        # in their old order: which heads stay matters, not how they are sorted
        return self.head_order[:count].sort().values


class _Collector:
    """Sums over the real tokens that pass a linear map."""

    def __init__(self, linear: nn.Linear):
        n, self.centred = linear.in_features, linear.bias is not None
        self.count, self.sum = 0, torch.zeros(n, dtype=torch.float64)
        self.products = torch.zeros(n, n, dtype=torch.float32)
        self.keep: Tensor | None = None
        self.hook = linear.register_forward_pre_hook(self._see)

    def _see(self, linear: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows = inputs[0].float()
        rows = rows.flatten(0, -2) if self.keep is None else rows[self.keep]
        self.count += len(rows)
        self.sum += rows.sum(0).double()
        self.products.addmm_(rows.T, rows)

    def moments(self) -> Moments:
        self.hook.remove()
        mean = (self.sum / max(1, self.count)).float() * self.centred
        second = self.products / max(1, self.count) - torch.outer(mean, mean)
        # never below nothing: a neuron that is always silent must not make the ridge negative
        level = second.diagonal().clamp(min=0).mean().clamp(min=1e-8)
        second.diagonal().add_(RIDGE * level)
        return Moments(mean, second)


@torch.inference_mode()
def calibrate(encoder: Encoder, batches: Iterable[Batch]) -> list[LayerWorth]:
    """Return what each layer of an encoder like BERT's is worth on some text."""
    encoder.eval()
    seen = [
        (_Collector(layer.mixed), _Collector(layer.feedforward.output)) for layer in encoder.layers
    ]
    for batch in batches:
        for pair in seen:
            for collector in pair:
                collector.keep = batch.keep
        encoder(batch.tokens, batch.keep, batch.token_types, unpad=False)
    found = []
    for layer, pair in zip(encoder.layers, seen, strict=True):
        heads, feedforward = (collector.moments() for collector in pair)
        mixer = next(iter(layer.mixers.values()))
        found.append(
            LayerWorth(
                heads,
                feedforward,
                removal_order(layer.mixed.weight, heads, mixer.head_width),
                removal_order(layer.feedforward.output.weight, feedforward, 1, step=_STEP),
            )
        )
    return found


def removal_order(weight: Tensor, moments: Moments, group: int, *, step: int = 1) -> Tensor:
    """Return groups of inputs of a map, the last to go first.

    Each time those go whose absence, the others refitted, changes the output least.

    Args:
        weight: Of the map, `(outputs, n)`.
        moments: Of its `n` inputs.
        group: Inputs that go together.
        step: Groups that go at a time.

    Returns:
        Numbers of the groups, `(n / group,)` int64.
    """
    weight = weight.detach().clone().float()
    inverse = torch.linalg.inv(moments.second)
    left = torch.arange(len(inverse) // group)
    gone: list[Tensor] = []
    while len(left) > 1:
        loss = _losses(weight, inverse, group)
        going = loss.argsort(stable=True)[: min(step, len(left) - 1)]
        gone.append(left[going].flip(0))
        stays = torch.ones(len(left), dtype=torch.bool)
        stays[going] = False
        places = stays.repeat_interleave(group)
        out, rest = (~places).nonzero()[:, 0], places.nonzero()[:, 0]
        solved = torch.linalg.solve(inverse[out][:, out], inverse[out][:, rest])
        weight = weight[:, rest] - weight[:, out] @ solved
        inverse = inverse[rest][:, rest] - inverse[rest][:, out] @ solved
        left = left[stays]
    return torch.cat([left, *reversed(gone)])


def _losses(weight: Tensor, inverse: Tensor, group: int) -> Tensor:
    """What each group's absence alone costs, the others refitted."""
    if group == 1:
        return weight.square().sum(0) / inverse.diagonal()
    losses = []
    for at in range(0, len(inverse), group):
        block = slice(at, at + group)
        solved = torch.linalg.solve(inverse[block, block], weight[:, block].T)
        losses.append((weight[:, block].T * solved).sum())
    return torch.stack(losses)


def refitted(
    weight: Tensor, bias: Tensor | None, moments: Moments, kept: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return the map of some of its inputs that comes nearest to the whole one.

    Nearest in the mean square over the calibration's tokens, with a ridge towards the old weights.

    Args:
        weight: `(outputs, n)`.
        bias: `(outputs,)`; None where the map has none.
        moments: Of the `n` inputs.
        kept: Numbers of those that are there, `(k,)`.
    """
    if len(kept) == len(moments.mean):
        return weight[:, kept], bias
    inside = moments.second[kept][:, kept]
    new = torch.linalg.solve(inside, moments.second[kept] @ weight.T).T
    if bias is None:
        return new, None
    return new, bias + weight @ moments.mean - new @ moments.mean[kept]
