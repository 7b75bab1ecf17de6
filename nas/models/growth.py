"""Additional depth that computes nothing at first: layers, and maps inside a feed-forward.

Source: Chen, Goodfellow, Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016
(deeper networks that start as an identity); Wang et al., "LEMON: Lossless Model Expansion",
ICLR 2024 (zero output projections).
Differs on purpose: exact after norms with gains, and through GELU.
"""

from collections.abc import Sequence

import torch
from torch import nn

from nas.models.axes import AxisMaps, carry
from nas.models.encoder import Encoder
from nas.models.feedforwards import FeedForward


def add_layers(encoder: Encoder, matched: Sequence[int | None]) -> None:
    """Make the layers without a match return what they are given.

    Their output maps become zero. Between residual sums without norms that is all; a norm after
    the sum leaves a norm of what is already a norm's output. That is normalised only before its
    gain and bias, so these move to the last one. A layer that is given no norm's output, as after
    a projection, returns its input normalised.

    Args:
        encoder: The child, the matched layers carried.
        matched: For each layer its match, or None for an additional one.
    """
    # where sums are widened after their norm, the first layer is given no norm's output
    widened = hasattr(encoder.embeddings.tokens, "widen")
    before = None if widened else encoder.embeddings.norm
    for layer, match in zip(encoder.layers, matched, strict=True):
        if match is None:
            for end in layer.ends:
                _silence(end)
            if layer.normed and before is not None:
                _move(before, layer.last_norm)
        if layer.projection is not None:
            before = None
        elif layer.normed:
            before = layer.last_norm
        elif match is not None:
            before = None


def add_stacked(layer: nn.Module, known: int) -> None:
    """Make the feed-forwards of a bottleneck beyond those of its parent add nothing.

    Args:
        layer: The child's layer.
        known: How many its parent had.
    """
    stacked = getattr(layer, "stacked", ())
    for before, one in zip([None, *stacked], stacked, strict=False):
        if known > 0:
            known -= 1
            continue
        _silence(getattr(one.feedforward, "output", one.feedforward))
        _move(layer.mixed_norm if before is None else before.norm, one.norm)


def _silence(end: nn.Module) -> None:
    """Make a map's result zero, or that of several."""
    for parameter in end.parameters():
        nn.init.zeros_(parameter)


def _move(source: nn.Module, target: nn.Module) -> None:
    """Move gain and bias from one norm to another."""
    for name, unit in (("weight", 1.0), ("bias", 0.0)):
        given, taken = getattr(source, name, None), getattr(target, name, None)
        if given is not None and taken is not None:
            taken.copy_(given)
            given.fill_(unit)


def add_feedforwards(block: FeedForward, inner: Sequence[int], maps: AxisMaps, layer: int) -> None:
    """Make the inner maps of a block beyond those of its parent pass on what they are given.

    Args:
        block: The child's block, of the same kind as its parent's.
        inner: Inner widths of the parent's block.
        maps: The inheritance.
        layer: Number of the layer in the child.
    """
    depth, last = len(inner), inner[-1]
    if len(block.inner) <= depth:
        return
    matrices = []
    for k in range(depth, len(block.inner)):
        axes = [
            ("write", maps(f"inner {layer} {k}", block.inner[k], last)),
            ("read", maps(f"inner {layer} {k - 1}", block.inner[k - 1], last)),
        ]
        own = torch.zeros(block.inner[k], block.inner[k - 1])
        matrices.append(carry(own, torch.eye(last), axes, maps)[0])
    block.pass_on(depth, matrices)
