"""Moments of an optimizer in eight bits: a code for each number, and a scale for each block.

Source: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", ICLR 2022.
Differs on purpose: codes are powers of an even grid, with more of them near zero as in the paper,
instead of a tree that is looked up; second moments are rounded up, so that no step is longer than
with exact ones.
"""

import torch
from torch import Tensor

BLOCK = 64
_SIGNED, _POSITIVE, _POWER = 127, 255, 3


def numbers_kept(count: int) -> int:
    """Return what a moment of so many numbers takes, in numbers of four bytes."""
    return -(-count // 4) + -(-count // BLOCK)


def read_moment(state: dict[str, Tensor], name: str) -> Tensor:
    """Return a moment that `write_moment` wrote, float32, in its shape."""
    # who restores a state may have made floating-point numbers of codes, which are the same
    codes = state[name]
    grid = codes.float() / (_POSITIVE if name.endswith("_sq") else _SIGNED)
    value = grid.abs().pow(_POWER) * grid.sign()
    scales = state[f"{name}_scale"].repeat_interleave(BLOCK)[: codes.numel()].view(codes.shape)
    return value * scales


def write_moment(state: dict[str, Tensor], name: str, value: Tensor) -> None:
    """Keep a moment in codes; a name that ends in "_sq" is of one that is never negative."""
    flat = value.float().flatten()
    padded = torch.nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scales = padded.abs().amax(1)
    grid = (padded.abs() / scales.clamp(min=torch.finfo(torch.float32).tiny)[:, None]).pow(
        1 / _POWER
    )
    if name.endswith("_sq"):
        codes = (grid * _POSITIVE).ceil().clamp(max=_POSITIVE).to(torch.uint8)
    else:
        codes = ((grid * _SIGNED).round() * padded.sign()).to(torch.int8)
    state[name] = codes.flatten()[: len(flat)].view(value.shape)
    state[f"{name}_scale"] = scales
