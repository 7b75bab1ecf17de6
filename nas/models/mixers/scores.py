"""Scores of queries and keys, with all that positions add to them: what attention heads share."""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.mixers.base import Mixer
from nas.models.mixers.relative import masked_softmax, relative_scores

if TYPE_CHECKING:
    from nas.models.positions import Positions


class ScoringMixer(Mixer):
    """A mixer whose weights are the softmax of scores of queries and keys.

    It reads every kind of positions. What those hand it hangs here, so that it is saved and
    inherited with the heads.
    """

    axes: ClassVar = {"penalty.slopes": ("head",)}

    def __init__(self, width: int, heads: int, head_width: int, *, relative: bool = False):
        super().__init__(width, heads, head_width, relative=relative)
        self.rotation: nn.Module | None = None
        self.penalty: nn.Module | None = None
        self.buckets: nn.Module | None = None

    def read_positions(self, positions: "Positions") -> None:
        self.rotation = positions.rotation(self.head_width)
        self.penalty = positions.penalty(self.heads)
        self.buckets = positions.buckets()

    def read(self, x: Tensor, values: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return queries, keys and values, `(batch, heads, length, head_width)` each.

        Args:
            x: Hidden states, `(batch, length, width)`.
            values: What values are made of where they are read apart; None leaves them out then.
        """
        return self.split(self.maps(x, values))

    @abstractmethod
    def split(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return what `read` does, of what `maps` gave."""

    def seen(self, length: int, device: torch.device, *, causal: bool = False) -> Tensor | None:
        """Return False for keys that a query does not see, `(length, length)`; None for all."""
        place = torch.arange(length, device=device)
        return place <= place[:, None] if causal else None

    def weigh(self, query: Tensor) -> Tensor:
        """Return what keys are multiplied with, of queries."""
        return query

    @abstractmethod
    def of_rows(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries and keys of a table of distances, as the mixer makes them of tokens.

        Args:
            rows: `(1, rows, width)`.

        Returns:
            Two of `(1, heads, rows, head_width)`.
        """

    def turned(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a score is the product of: both turned by their place, queries weighed."""
        query = self.weigh(query)
        if self.rotation is None:
            return query, key
        return self.rotation(query), self.rotation(key)

    def added(self, query: Tensor, seen: Tensor | None) -> Tensor | None:
        """Return what is added to scores, `(heads or 1, length, length)`; None for nothing."""
        penalty = None if self.penalty is None else self.penalty(query.shape[2]).to(query.dtype)
        if seen is None:
            return penalty
        nothing = torch.zeros_like(seen, dtype=query.dtype)[None]
        return (nothing if penalty is None else penalty).masked_fill(~seen, least(query))

    def scores(
        self,
        query: Tensor,
        key: Tensor,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> Tensor:
        """Return what a softmax turns into weights, `(batch, heads, length, length)`.

        Args:
            query: `(batch, heads, length, head_width)`.
            key: Same shape.
            distances: Vectors for the distances, as in `Mixer.forward`.
            rows: The encoder's table of distances, `(rows, width)`; None where it has none.
            seen: Boolean, `(length, length)`, False for keys that a query does not see; None for
                all seen.
        """
        terms = 1 if rows is None else 3
        scale = 1 / math.sqrt(self.head_width * terms)
        asked, given = self.turned(query, key)
        scores = (asked * scale) @ given.transpose(2, 3)
        if distances is not None:
            scores = scores + relative_scores(query * scale, distances)
        if rows is not None:
            used, index = self.buckets(key.shape[2], key.device)
            of_query, of_key = self.of_rows(rows[used][None])
            scores = scores + bucket_scores(query * scale, of_key, index)
            scores = scores + bucket_scores(key * scale, of_query, index.t()).transpose(2, 3)
        added = self.added(query, seen)
        return scores if added is None else scores + added

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> Tensor:
        """Return the mean of the values of real tokens, weighed by the softmax of scores.

        Args:
            query: `(batch, heads, length, head_width)`.
            key: Same shape.
            value: Same shape.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            distances: As in `scores`.
            rows: As in `scores`.
            seen: As in `scores`.

        Returns:
            `(batch, heads, length, head_width)`.
        """
        if distances is None and rows is None and fused_is_faster(query):
            mask = fused_mask(keep, self.added(query, seen))
            return F.scaled_dot_product_attention(*self.turned(query, key), value, mask)
        return masked_softmax(self.scores(query, key, distances, rows, seen), keep) @ value


def least(scores: Tensor) -> float:
    """Return the lowest finite number: of -inf alone, a softmax makes NaN."""
    return torch.finfo(scores.dtype).min


def bucket_scores(of_token: Tensor, of_row: Tensor, index: Tensor) -> Tensor:
    """Products of every token with the row of its distance to every other.

    Args:
        of_token: `(batch, heads, length, head_width)`.
        of_row: `(1, heads, rows, head_width)`.
        index: Row of each pair, int64, `(length, length)`.

    Returns:
        `(batch, heads, length, length)`.
    """
    products = of_token @ of_row.transpose(2, 3)
    return products.gather(-1, index.expand(*products.shape[:2], -1, -1))


def fused_is_faster(query: Tensor) -> bool:
    """On a CPU the fused kernel's backward and its bfloat16 are slower than two products."""
    if query.device.type != "cpu":
        return True
    return query.dtype != torch.bfloat16 and not query.requires_grad


def fused_mask(keep: Tensor | None, penalty: Tensor | None) -> Tensor | None:
    """Return what the fused kernel takes as its mask.

    Args:
        keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
        penalty: What is added to scores, `(heads or 1, length, length)`; None for nothing.

    Returns:
        Boolean or numbers that are added, to be spread over `(batch, heads, length, length)`.
    """
    mask = None if keep is None else keep[:, None, None, :]
    if penalty is None:
        return mask
    if mask is None:
        return penalty[None]
    return torch.where(mask, penalty, least(penalty))
