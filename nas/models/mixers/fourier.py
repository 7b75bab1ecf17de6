"""Linear mixing heads: one fixed transform over tokens and features (`l_dft`, `l_dct`).

Source: Lee-Thorp et al., "FNet: Mixing Tokens with Fourier Transforms", NAACL 2022.
Differs on purpose: a learned value projection, so that the heads can share a layer with others;
unitary scaling, so that the output has the size of the input; and each sequence is transformed over
its own real tokens, so that neither the content nor the amount of padding changes anything.

Sentences are short, so a transform is a product with its matrix: that is faster than a fast Fourier
transform up to some hundred tokens, runs in bfloat16, and sequences of different lengths share it.
"""

import math
from functools import lru_cache, partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.models.mixers.base import MIXERS, Mixer, exporting, join_heads, split_heads
from nas.models.mixers.relative import position_weights

_TABLE_LENGTH = 128  # longest padded length whose matrices for all sequence lengths are kept


def transform_matrices(kind: str, sizes: Tensor, length: int) -> Tensor:
    """Matrices of the orthonormal transforms of `sizes` points, in the corner of larger ones.

    Args:
        kind: "cos" or "sin": real and negated imaginary part of the unitary discrete Fourier
            transform; "dct": the orthonormal type-II cosine transform.
        sizes: Integers, `(n,)`.
        length: Rows and columns of each matrix.

    Returns:
        `(n, length, length)` in float64, output points in rows; zero outside the first `size` rows
        and columns.
    """
    size = sizes.to(torch.int64)[:, None, None]
    divisor = size.clamp(min=1)
    point = torch.arange(length, device=sizes.device)
    row, column = point[:, None], point
    # Angles are reduced in integers before they become floats: exact at any length.
    if kind == "dct":
        turns = (row * (2 * column + 1)) % (4 * divisor)
        values = torch.cos(turns.double() * (math.pi / 2) / divisor) * (2 / divisor.double()).sqrt()
        values = torch.where(row == 0, (1 / divisor.double()).sqrt(), values)
    else:
        wave = torch.cos if kind == "cos" else torch.sin
        turns = (row * column) % divisor
        values = wave(turns.double() * (2 * math.pi) / divisor) / divisor.double().sqrt()
    return values.masked_fill((row >= size) | (column >= size), 0.0)


@lru_cache(maxsize=64)
def _table(kind: str, length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Matrices for every size from 0 to `length`, `(length + 1, length, length)`."""
    # it will be used in training, whoever asks first; torch.compile knows no keyword here
    with torch.inference_mode(False):  # noqa: FBT003
        sizes = torch.arange(length + 1, device=device)
        return transform_matrices(kind, sizes, length).to(dtype)


@lru_cache(maxsize=64)
def _feature_matrix(
    kind: str, sign: int, size: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    with torch.inference_mode(False):  # noqa: FBT003
        sizes = torch.tensor([size], device=device)
        return (sign * transform_matrices(kind, sizes, size)[0].t()).contiguous().to(dtype)


def _graph_is_made() -> bool:
    return exporting() or torch.compiler.is_compiling()


def feature_matrix(kind: str, sign: int, size: int, like: Tensor) -> Tensor:
    """Transform of `size` features times `sign`, `(size, size)`, of the device and type of `like`.

    While a graph is made tensors are stand-ins, which a cache must not keep.
    """
    make = _feature_matrix.__wrapped__ if _graph_is_made() else _feature_matrix
    return make(kind, sign, size, like.device, like.dtype)


def token_matrices(kind: str, keep: Tensor | None, like: Tensor) -> Tensor:
    """Transform matrices over the real tokens of each sequence.

    Args:
        kind: As in `transform_matrices`.
        keep: Boolean, `(batch, length)`, or None where nothing is padded.
        like: Hidden states, `(batch, length, ...)`, for length, device and type.

    Returns:
        `(batch, length, length)`, or `(1, length, length)` when `keep` is None.
    """
    length = like.shape[1]
    # A table looked up by length would fix the length of an exported graph, and fill its file. A
    # compiled graph would make the whole table each time, and the compiler of torch 2.13 fails
    # on looking rows up in what it makes itself; of its matrices all layers share one making.
    if _graph_is_made() or length > _TABLE_LENGTH:
        sizes = torch.tensor([length], device=like.device) if keep is None else keep.sum(1)
        return transform_matrices(kind, sizes, length).to(like.dtype)
    rounded = max(16, 1 << (length - 1).bit_length())
    table = _table(kind, rounded, like.device, like.dtype)[:, :length, :length]
    return table[length : length + 1] if keep is None else table.index_select(0, keep.sum(1))


class Fourier(Mixer):
    """Transforms the values over tokens and over the features of each head.

    The result is the sum, over the pairs in `terms`, of sign * (token transform) V (feature
    transform): one pair for a cosine transform, two for the real part of a Fourier transform. With
    relative positions, attention by distance alone is added.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        terms: Pairs of a transform's kind and the sign it is added with.
        relative: Whether attention by distance is added.
    """

    axes: ClassVar = {
        "value.weight": ("out", "<width"),
        "value.bias": ("out",),
        "query.weight": ("out", "<width"),
        "query.bias": ("out",),
    }
    unpads: ClassVar = True

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        *,
        terms: tuple[tuple[str, int], ...],
        relative: bool = False,
    ):
        super().__init__(width, heads, head_width, relative=relative)
        self.terms = terms
        self.value = nn.Linear(width, heads * head_width)
        self.query = nn.Linear(width, heads * head_width) if relative else None

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        value = self.value(x)
        heads = value.unflatten(-1, (self.heads, self.head_width))
        mixed = None
        for kind, sign in self.terms:
            features = feature_matrix(kind, sign, self.head_width, value)
            transformed = (heads @ features).flatten(2)
            tokens = token_matrices(kind, keep, value).expand(x.shape[0], -1, -1)
            if mixed is None:
                mixed = torch.bmm(tokens, transformed)
            else:
                mixed = torch.baddbmm(mixed, tokens, transformed)
        if distances is None:
            return mixed
        weights = position_weights(split_heads(self.query(x), self.heads), distances, keep)
        return mixed + join_heads(weights @ heads.transpose(1, 2))


MIXERS.register("l_dft")(partial(Fourier, terms=(("cos", 1), ("sin", -1))))
MIXERS.register("l_dct")(partial(Fourier, terms=(("dct", 1),)))
