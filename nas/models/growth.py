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
from nas.models.feedforwards import FeedForward, MultilayerPerceptron

SHIFT = 6.0  # GELU(h + 6) - 6 is h up to 2e-8 for every h that a GELU returns


def add_layers(encoder: Encoder, matched: Sequence[int | None]) -> None:
    """Make the layers without a match return what they are given.

    Their output maps become zero, which leaves two norms of what is already a norm's output. That
    output is normalised only before its gain and bias, so these move to the last of the two. A
    layer that follows a projection is given no norm's output; it returns its input normalised.

    Args:
        encoder: The child, the matched layers carried.
        matched: For each layer its match, or None for an additional one.
    """
    before = encoder.embeddings.norm
    for i, (layer, match) in enumerate(zip(encoder.layers, matched, strict=True)):
        if match is None:
            output = getattr(layer.feedforward, "output", None)
            for linear in (layer.mixed, output):
                if linear is not None:
                    nn.init.zeros_(linear.weight)
                    nn.init.zeros_(linear.bias)
            if i == 0 or encoder.layers[i - 1].projection is None:
                after = layer.feedforward_norm
                after.weight.copy_(before.weight)
                after.bias.copy_(before.bias)
                nn.init.ones_(before.weight)
                nn.init.zeros_(before.bias)
        before = layer.feedforward_norm


def add_feedforwards(block: FeedForward, inner: Sequence[int], maps: AxisMaps, layer: int) -> None:
    """Make the maps of a stack beyond those of its parent pass on what they are given.

    Between two GELUs a feature is shifted to where a GELU is the identity, and shifted back by the
    bias of what reads it.

    Args:
        block: The child's block; nothing is done to other kinds than stacks.
        inner: Inner widths of the parent's block.
        maps: The inheritance.
        layer: Number of the layer in the child.
    """
    if not isinstance(block, MultilayerPerceptron) or len(block.inner) <= len(inner):
        return
    depth, last = len(inner), inner[-1]
    for k in range(depth, len(block.inner)):
        linear = block.stack[k]
        axes = [
            ("write", maps(f"inner {layer} {k}", block.inner[k], last)),
            ("read", maps(f"inner {layer} {k - 1}", block.inner[k - 1], last)),
        ]
        linear.weight.copy_(carry(linear.weight.cpu(), torch.eye(last), axes, maps)[0])
        linear.bias.fill_(SHIFT)
        if k > depth:
            linear.bias.sub_(linear.weight.sum(1) * SHIFT)
    block.output.bias.sub_(block.output.weight.sum(1) * SHIFT)
