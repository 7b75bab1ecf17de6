"""Axes of weight tensors, and the maps that carry them from a parent's size to a child's.

A tensor is carried axis by axis. What an axis is, is one of these words:

- "width": the hidden states a layer reads and writes, of heads and feed-forwards those that they
  read and write inside its block; "narrow": those inside a block with a width of its own; "values":
  what values are made of; "states": the hidden states there are when a layer begins;
- "out": all features of all heads of a group; "feature": those of one head; "head"; "tap": a kernel
  for each head; "kernel"; "inner 0", ...: a feed-forward's inner layers, "last" the last of them;
  "one": an axis of one, "3" of three, always; the name of a mixer's setting: as many as it says.
- "<word" reads that axis: the columns of a linear map, whose rows write another one.
- "=word" scales it, one number per feature; "^word" does so after a norm over the axis.
- "word[1::2]" is every second feature of that axis, from number 1 on.
- "even out" and "odd out" are "out" of every second head, from the first or the second on, and so
  with "key" and "tap".
- "key" is "out" for what a query is multiplied with; "a+b" are two blocks one after the other.

Tensors that share an axis are carried by the same map, so that they still fit together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import torch
from torch import Tensor

from search_spaces.errors import UnknownName
from search_spaces.registry import Registry

NOISE = 0.5  # of the spread of a tensor: how unequal the weights are that read copies of a feature


@dataclass(frozen=True)
class AxisMap:
    """How one axis of `p` features becomes one of `c`.

    Attributes:
        write: What the child's features are made of, `(c, p)`.
        read: What the child's readers weigh its features with, `(c, p)`: the readers of a parent,
            times its transpose.
        scale: What the child's factors of single features are made of, `(c, p)`.
        filled: Boolean, `(c,)`: which of the child's features come from the parent.
        copies: Whether several features are copies of one, so that readers may share it unequally.
        loudness: How much larger the parent's features are after a norm than the child's, as a
            factor below or equal to 1.
        identity: Whether nothing changes.
    """

    write: Tensor
    read: Tensor
    scale: Tensor
    filled: Tensor
    copies: bool = False
    loudness: float = 1.0
    identity: bool = False

    @property
    def gain(self) -> Tensor:
        """What gains after a norm over the axis are made of, `(c, p)`."""
        return self.scale * self.loudness


def selection(sources: Sequence[int | None], p: int) -> AxisMap:
    """The map whose feature i is the parent's feature `sources[i]` of `p`, or a new one."""
    matrix = torch.zeros(len(sources), p)
    for i, source in enumerate(sources):
        if source is not None:
            matrix[i, source] = 1.0
    same = list(sources) == list(range(p))
    return AxisMap(matrix, matrix, matrix, matrix.any(1), identity=same)


def sliced(c: int, p: int, seed: int, *, normed: bool = False) -> AxisMap:
    """Keep the first features in order; what exceeds them is new."""
    return selection([i if i < p else None for i in range(c)], p)


def projected(c: int, p: int, seed: int, *, normed: bool = False) -> AxisMap:
    """Project on random directions, orthonormal ones, scaled to keep lengths on average.

    Source: Johnson and Lindenstrauss, "Extensions of Lipschitz mappings into a Hilbert space",
    1984; used between architectures by Tuli and Jha, "EdgeTran", 2023.
    Differs on purpose: orthonormal, and drawn once for an axis, not once for a tensor.
    """
    if c == p:
        return selection(range(c), p)
    generator = torch.Generator().manual_seed(seed)
    gaussian = torch.randn(max(c, p), min(c, p), generator=generator, dtype=torch.float64)
    directions = torch.linalg.qr(gaussian).Q
    matrix = (directions if c > p else directions.t()).float().contiguous()
    longer = max(1.0, p / c) ** 0.5
    shares = matrix.square()
    scale = shares / shares.sum(1, keepdim=True)
    return AxisMap(matrix * longer, matrix / longer, scale, torch.ones(c, dtype=torch.bool))


def grown(c: int, p: int, seed: int, *, normed: bool = False) -> AxisMap:
    """Repeat all features in order until the axis is full; readers share each among its copies.

    Nothing computed changes, except where norms are taken over the axis and `c` is no multiple of
    `p`: repeating a part would change mean and variance. There only whole repetitions are made, and
    the rest is the mean of all features, which leaves the mean as it is and the variance in
    proportion. That is near, because the mean is passed on only as far as gains are equal. Where
    `c` is smaller, the first features are kept.

    Source: Chen, Goodfellow, Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer",
    ICLR 2016; Chen et al., "bert2BERT: Towards Reusable Pretrained Language Models", ACL 2022;
    the mean: Wang et al., "LEMON: Lossless Model Expansion", ICLR 2024.
    """
    if c <= p:
        return sliced(c, p, seed)
    write = selection([i % p for i in range(c)], p).write
    filled = torch.ones(c, dtype=torch.bool)
    if not normed or c % p == 0:
        return AxisMap(write, write / write.sum(0), write, filled, copies=True)
    whole = c // p * p
    read = write / (c // p)
    write[whole:], read[whole:] = 1 / p, 0.0
    return AxisMap(write, read, write, filled, copies=True, loudness=(whole / c) ** 0.5)


TRANSFER_METHODS: Registry[Callable[..., AxisMap]] = Registry(
    "way to inherit weights", group="nas.inheritance"
)
TRANSFER_METHODS.register("slice")(sliced)
TRANSFER_METHODS.register("projection")(projected)
TRANSFER_METHODS.register("grow")(grown)


class AxisMaps:
    """The maps of one inheritance: one for each axis, whoever asks, drawn from `seed`.

    Raises:
        UnknownName: If there is no such method.
    """

    def __init__(self, method: str, seed: int):
        if method not in TRANSFER_METHODS:
            raise UnknownName(TRANSFER_METHODS.kind, method, TRANSFER_METHODS)
        self.method, self._build = method, lru_cache(maxsize=None)(TRANSFER_METHODS[method])
        self._seed = seed
        self.generator = torch.Generator().manual_seed(number(seed, "noise"))

    def __call__(self, name: str, c: int, p: int) -> AxisMap:
        """Return the map of the axis `name` from `p` features to `c`; some are under norms."""
        normed = name.partition(" ")[0] in ("width", "narrow")
        return self._build(c, p, number(self._seed, name), normed=normed)


def number(seed: int, name: str) -> int:
    """Return a seed for one purpose, in [0, 2^63)."""
    return int.from_bytes(sha256(f"{seed} {name}".encode()).digest()[:8], "big") >> 1


def combine(outer: AxisMap, inner: AxisMap) -> AxisMap:
    """The map of an axis made of `outer` blocks of `inner` features each, such as heads."""
    return AxisMap(
        torch.kron(outer.write, inner.write),
        torch.kron(outer.read, inner.read),
        torch.kron(outer.scale, inner.scale),
        torch.kron(outer.filled.float(), inner.filled.float()).bool(),
        copies=outer.copies or inner.copies,
        identity=outer.identity and inner.identity,
    )


def join(parts: Sequence[AxisMap]) -> AxisMap:
    """The map of several axes one after the other."""
    if len(parts) == 1:
        return parts[0]
    return AxisMap(
        torch.block_diag(*(part.write for part in parts)),
        torch.block_diag(*(part.read for part in parts)),
        torch.block_diag(*(part.scale for part in parts)),
        torch.cat([part.filled for part in parts]),
        copies=any(part.copies for part in parts),
        identity=all(part.identity for part in parts),
    )


def every_few(axis: AxisMap, first: int, step: int) -> AxisMap:
    """The map of the features `first`, `first + step`, ... of an axis, each from among the same."""
    write, read, scale = (m[first::step, first::step] for m in (axis.write, axis.read, axis.scale))
    return AxisMap(
        write, read, scale, write.any(1), axis.copies, axis.loudness, identity=axis.identity
    )


def reading(axis: AxisMap, factor: float = 1.0) -> AxisMap:
    """The map that writes an axis to be multiplied with one that is written as usual."""
    same = axis.identity and factor == 1.0
    return AxisMap(
        axis.read * factor, axis.read, axis.scale, axis.filled, axis.copies, identity=same
    )


def carry(
    own: Tensor, given: Tensor, axes: Sequence[tuple[str, AxisMap]], maps: AxisMaps
) -> tuple[Tensor, Tensor]:
    """Carry a parent's tensor to a child's shape.

    Args:
        own: The child's tensor as it is; what has no source keeps it, but where weights are grown,
            nothing old reads what is new: those weights are zero.
        given: The parent's tensor.
        axes: For every axis its map, and which of its matrices: "write", "read", "scale", "gain".
        maps: The inheritance, for its method and its noise.

    Returns:
        The new tensor, and which of its elements come from the parent, boolean.
    """
    value = given.float()
    for dim, (role, axis) in enumerate(axes):
        if not axis.identity:
            matrix = getattr(axis, role)
            value = torch.tensordot(matrix, value, dims=([1], [dim])).movedim(0, dim)
    for dim, (role, axis) in enumerate(axes):
        if role == "read" and axis.copies:
            value = value + _unequal_shares(value, dim, axis, maps.generator)
    written = torch.ones((), dtype=torch.bool)
    filled = torch.ones((), dtype=torch.bool)
    for role, axis in axes:
        both = torch.ones_like(axis.filled) if role == "read" else axis.filled
        written = written[..., None] & both
        filled = filled[..., None] & axis.filled
    rest = own.float()
    if maps.method == "grow":
        rest = rest.masked_fill(written, 0.0)
    return torch.where(filled, value, rest).to(own.dtype), filled


def _unequal_shares(value: Tensor, dim: int, axis: AxisMap, generator: torch.Generator) -> Tensor:
    """Noise along `dim` that adds up to zero over the copies of every feature."""
    spread = NOISE * float(value.std(unbiased=False))
    noise = (torch.randn(value.shape, generator=generator) * spread).movedim(dim, 0)
    flat = noise.flatten(1)
    groups = (axis.read != 0).float()
    members = groups.sum(0).clamp(min=1)
    flat = flat - groups @ ((groups.t() @ flat) / members[:, None])
    return flat.unflatten(1, noise.shape[1:]).movedim(0, dim)
