"""Relative positions: what a query thinks of a distance, whatever stands there.

Source: Shaw, Uszkoreit, Vaswani, "Self-Attention with Relative Position Representations",
NAACL 2018 (the key side only).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def relative_scores(query: Tensor, distances: Tensor) -> Tensor:
    """Dot product of every query with the vector of its distance to every key.

    One matrix product for all distances; row i of the wanted result then starts one place further
    left than row i - 1, which a view with one number less per row expresses without copying.

    Args:
        query: `(batch, heads, length, head_width)`.
        distances: `(2 * length - 1, head_width)`; row r is for key - query = r - length + 1.

    Returns:
        `(batch, heads, length, length)`, unscaled.
    """
    length = query.shape[2]
    products = query @ F.pad(distances, (0, 0, 0, 1)).t()  # one more column, to be skewed
    used = products.flatten(2)[..., length - 1 : length - 1 + length * (2 * length - 1)]
    return used.unflatten(-1, (length, 2 * length - 1))[..., :length]


def masked_softmax(scores: Tensor, keep: Tensor | None) -> Tensor:
    """Softmax over the real keys; `scores` is `(batch, heads, length, length)`."""
    if keep is not None:
        # The lowest finite number, not -inf: a sequence without any real token must not give NaN.
        scores = scores.masked_fill(~keep[:, None, None, :], torch.finfo(scores.dtype).min)
    return scores.softmax(-1)


def position_weights(query: Tensor, distances: Tensor, keep: Tensor | None) -> Tensor:
    """Attention by distance alone: softmax of the scaled relative scores over real keys."""
    scale = 1 / math.sqrt(query.shape[-1])
    return masked_softmax(relative_scores(query * scale, distances), keep)
