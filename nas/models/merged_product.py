"""Maps that are merged of several for each sequence, and what chooses them, a few rows at a time.

All merged maps of a batch at once take more memory than a cache has, written and read five times in
a step. Here the rows of a few sequences are merged, applied and forgotten, and merged once more for
the gradient.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Bytes of merged rows that stay in a cache beside what they are applied to; and the rows and the
# sequences that a product needs to be one of matrices.
_ROOM, _ROWS, _SEQUENCES = 1 << 20, 128, 4


def merged_product(
    x: Tensor,
    keep: Tensor | None,
    gates: Callable[[Tensor], Tensor],
    weight: Tensor,
    bias: Tensor,
) -> Tensor:
    """Apply to each sequence the sum of linear maps, each times a gate that its mean decides.

    Args:
        x: `(batch, length, read)`.
        keep: Boolean, `(batch, length)`, True for real tokens; None where nothing is padded.
        gates: From means, `(batch, read)`, to the gates of all maps, `(batch, maps)`.
        weight: `(maps, written, read)`.
        bias: `(maps, written)`.

    Returns:
        `(batch, length, written)`.
    """
    if not _in_parts(x):
        return _at_once(x, gates(mean_of_real(x, keep)), weight, bias)
    x, seen = _MeanBeside.apply(x, keep)
    return _InParts.apply(x, gates(seen), weight, bias)


def mean_of_real(x: Tensor, keep: Tensor | None) -> Tensor:
    """Return the mean of the real tokens of each sequence, `(batch, width)`."""
    if keep is None:
        return x.mean(1)
    # zero where padded before the product: what stands there may be infinite
    total = x.masked_fill(~keep[..., None], 0.0).sum(1)
    return total / _counted(x, keep)


def _in_parts(x: Tensor) -> bool:
    """Whether there is a cache to save and a gradient to come, and no graph of it all is made."""
    return (
        x.device.type == "cpu"
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
    )


def _counted(x: Tensor, keep: Tensor) -> Tensor:
    return keep[..., None].to(x.dtype).sum(1).clamp(min=1)


def _at_once(x: Tensor, gates: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    merged = (gates @ weight.flatten(1)).unflatten(1, weight.shape[1:])
    # in this order the gradient of the weights lies in memory as they do, and is not copied
    return torch.baddbmm((gates @ bias)[..., None], merged, x.mT).mT


class _InParts(torch.autograd.Function):
    """`_at_once`, features before tokens in memory, so that rows of a map write one piece."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gates: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, gates, weight, bias)
        height, count = _sizes(len(gates), weight)
        level = (gates @ bias)[..., None]
        out = x.new_empty(len(x), weight.shape[1], x.shape[1])
        parts = [t.split(count) for t in (x.mT, gates, level, out)]
        room = weight.new_empty(count * height * weight.shape[2])
        for first, rows in enumerate(weight.split(height, 1)):
            place = slice(first * height, first * height + rows.shape[1])
            flat = rows.flatten(1)
            for read, gate, bottom, written in zip(*parts, strict=True):
                merged = _merge(gate, flat, rows, room)
                torch.baddbmm(bottom[:, place], merged, read, out=written[:, place])
        return out.mT

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, gates, weight, bias = ctx.saved_tensors
        if torch.is_grad_enabled():  # a gradient of the gradient is wanted
            given = (x, gates, weight, bias)
            return torch.autograd.grad(_at_once(*given), given, gradient, create_graph=True)
        height, count = _sizes(len(gates), weight)
        coming = gradient.mT if gradient.is_contiguous() else gradient.mT.contiguous()
        level = coming.sum(2)
        of_x = x.new_empty(len(x), x.shape[2], x.shape[1])
        of_gates, of_weight = level @ bias.mT, torch.zeros_like(weight)
        parts = [t.split(count) for t in (x, gates, coming, of_x, of_gates)]
        room = weight.new_empty(count * height * weight.shape[2])
        pairs = zip(weight.split(height, 1), of_weight.split(height, 1), strict=True)
        for first, (rows, of_rows) in enumerate(pairs):
            place = slice(first * height, first * height + rows.shape[1])
            flat, of_flat = rows.flatten(1), of_rows.flatten(1)
            for read, gate, below, of_read, of_gate in zip(*parts, strict=True):
                part = below[:, place]
                merged = _merge(gate, flat, rows, room)
                if first:
                    of_read.baddbmm_(merged.mT, part)
                else:
                    torch.bmm(merged.mT, part, out=of_read)
                own = torch.bmm(part, read, out=merged).flatten(1)
                of_gate.addmm_(own, flat.mT)
                of_flat.addmm_(gate.mT, own)
        return of_x.mT, of_gates, of_weight, gates.mT @ level


def _sizes(batch: int, weight: Tensor) -> tuple[int, int]:
    """Return the rows and the sequences of a piece of merged maps."""
    written, read = weight.shape[1:]
    height = min(written, max(_ROWS, read // 4))
    return height, min(batch, max(_SEQUENCES, _ROOM // (height * read * weight.element_size())))


def _merge(gates: Tensor, flat: Tensor, rows: Tensor, room: Tensor) -> Tensor:
    """Return the merged rows of some sequences, `(sequences, rows, read)`, in a memory given."""
    merged = room[: len(gates) * flat.shape[1]].view(len(gates), flat.shape[1])
    return torch.mm(gates, flat, out=merged).view(len(gates), *rows.shape[1:])


class _MeanBeside(torch.autograd.Function):
    """A tensor and its mean; what reads the tensor must leave its gradient to this alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.keep = keep
        ctx.count = x.shape[1] if keep is None else _counted(x, keep)
        return x.view_as(x), mean_of_real(x, keep)

    @staticmethod
    def backward(ctx: Any, of_x: Tensor, of_mean: Tensor) -> tuple[Tensor, None]:
        shares = (of_mean / ctx.count)[:, None]
        if ctx.keep is not None:
            shares = shares * ctx.keep[..., None]
        return (of_x + shares if torch.is_grad_enabled() else of_x.add_(shares)), None
