"""How far apart two architectures are: edit distances of their graphs, for one pair or many.

Layers form a chain with unordered heads in each, so the best order-preserving edit path is found by
a dynamic programme over layers with optimal matching inside a layer.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.distances.alignment import StepCosts, align_all, by_length
from search_spaces.distances.block_costs import BlockCosts
from search_spaces.distances.known_layers import KnownLayers
from search_spaces.distances.model_costs import has_model_term, model_distances
from search_spaces.distances.published_costs import PublishedCosts
from search_spaces.errors import InvalidArchitecture
from search_spaces.registry import Registry


class LayerCosts(Protocol):
    """A cost model: what `pairwise_distances` needs to know about layers."""

    def steps(self, first: Sequence[Layer], second: Sequence[Layer]) -> StepCosts:
        """Return the costs of aligning sequences of these layers."""


COSTS: Registry[Callable[[], LayerCosts]] = Registry("cost model")
COSTS.register("blocks")(BlockCosts)
COSTS.register("published")(PublishedCosts)


def graph_edit_distance(
    a: Architecture,
    b: Architecture,
    costs: str | LayerCosts = "blocks",
    *,
    method: str = "best",
) -> float:
    """Return the least cost of editing one architecture's graph into the other's.

    With "blocks", our cost model, an edit keeps the order of layers; the result is exact and a
    metric, in units of one layer. With "published" any block may become any other, and `method`
    says how far to go. Costs between the layers met last are kept: a call takes a microsecond or
    two where they are known, about a millisecond where not (as "ordered").

    Args:
        a: One architecture.
        b: The other.
        costs: "blocks", "published", or a cost model of either class with its own settings.
        method: For published costs: "ordered" (the order of layers kept: an upper bound, as
            `pairwise_distances` gives), "search" (blocks exchanged by taboo search: a lower upper
            bound, a quarter of a second), "exact" (an integer programme: below a second for most
            pairs of 2 layers, seconds to minutes for 4) or "best" (exact up to 18 blocks, that is
            two layers of four heads, else search).

    Raises:
        UnknownName: If there is no such cost model or method.
        InvalidArchitecture: If the published costs do not list a block of the architectures.
    """
    try:
        model, known = _prepared(costs)
    except TypeError:
        # a cost model of one's own that cannot be hashed: nothing is kept for it
        model, known = _prepared.__wrapped__(costs)
    # the stored hashes: a property costs a tenth of the whole call, twice
    x, y = a._hash or a.hash, b._hash or b.hash
    if x == y:
        return 0.0
    more = 0.0
    if has_model_term(a) or has_model_term(b):
        _refuse_parts(model, (a, b))
        more = float(model_distances([a], [b])[0, 0])
    # in one order, so that rounding and searches give the same both ways
    if y < x:
        a, b, x, y = b, a, y, x
    ordered = known.distance(a, b, x, y)
    if method == "ordered" or not isinstance(model, PublishedCosts):
        return ordered + more
    from search_spaces.distances.unordered import improve

    return improve(a, b, model, ordered, method)


def pairwise_distances(
    first: Sequence[Architecture],
    second: Sequence[Architecture] | None = None,
    costs: str | LayerCosts = "blocks",
    *,
    dtype: type = np.float64,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return the edit distances of many pairs; edits keep the order of layers.

    Exact for "blocks"; for "published" an upper bound.

    Args:
        first: Architectures, one for each row.
        second: Architectures, one for each column; by default `first`, for a symmetric result.
        costs: "blocks", "published", or a cost model.
        dtype: What to compute in and return; float32 halves the time and memory for large sets.
        progress: Called now and then with the number of finished rows, or columns where these
            are fewer.

    Returns:
        `(len(first), len(second))`.

    Raises:
        UnknownName: If there is no such cost model.
        InvalidArchitecture: If the published costs do not list a block of the architectures.
    """
    if second is None:
        return EditDistances(first, costs, dtype=dtype).among(progress)
    return EditDistances(second, costs, dtype=dtype).to(first, progress)


class EditDistances:
    """Edit distances to a fixed set of architectures, prepared once; edits keep layers in order.

    Args:
        references: The architectures to measure from.
        costs: "blocks", "published", or a cost model.
        dtype: What to compute in and return.

    Attributes:
        groups: The references as numbers of their layers, by length.

    Raises:
        UnknownName: If there is no such cost model.
    """

    def __init__(
        self,
        references: Sequence[Architecture],
        costs: str | LayerCosts = "blocks",
        *,
        dtype: type = np.float64,
    ):
        self.costs = make_costs(costs)
        self.dtype = dtype
        self._rows, self._layers = _coded(references)
        self._references = references
        self._special = any(map(has_model_term, references))
        self.groups = by_length(self._rows)

    def among(self, progress: Callable[[int], None] | None = None) -> np.ndarray:
        """Return the symmetric distances of the references, `(references, references)`."""
        if not self._rows:
            return np.zeros((0, 0), self.dtype)
        steps = self.steps(self._layers)
        found = align_all(self._rows, self.groups, steps, symmetric=True, progress=progress)
        return self._with_models(found, self._references)

    def to(
        self, architectures: Sequence[Architecture], progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Return the distances of others to the references, `(architectures, references)`."""
        rows, layers = _coded(architectures)
        if not rows or not self._rows:
            return np.zeros((len(rows), len(self._rows)), self.dtype)
        steps = self.steps(layers)
        if len(rows) <= len(self._rows):
            found = align_all(rows, self.groups, steps, progress=progress)
        else:
            # the side with more architectures is the one that vectorises
            found = align_all(self._rows, by_length(rows), steps.swapped(), progress=progress).T
        return self._with_models(found, architectures)

    def _with_models(self, found: np.ndarray, architectures: Sequence[Architecture]) -> np.ndarray:
        if not self._special and not any(map(has_model_term, architectures)):
            return found
        _refuse_parts(self.costs, (*architectures, *self._references))
        more = model_distances(architectures, self._references)
        return found + more.astype(self.dtype)

    def steps(self, layers: Sequence[Layer]) -> StepCosts:
        """Return the costs of aligning these layers with those of the references."""
        steps = self.costs.steps(layers, self._layers)
        reopen = None if steps.reopen is None else steps.reopen.astype(self.dtype)
        parts = (part.astype(self.dtype) for part in (steps.match, steps.remove, steps.insert))
        return StepCosts(*parts, reopen, steps.end)


def make_costs(costs: str | LayerCosts) -> LayerCosts:
    """Return a cost model by name, or the given one.

    Raises:
        UnknownName: If there is no such cost model.
    """
    return COSTS[costs]() if isinstance(costs, str) else costs


def _refuse_parts(costs: LayerCosts, architectures: Sequence[Architecture]) -> None:
    if isinstance(costs, PublishedCosts):
        special = next(a for a in architectures if has_model_term(a))
        raise InvalidArchitecture(
            "The published costs list no model parts and no recipe, and one architecture has "
            f"them: {special.describe()}. Use the costs 'blocks'."
        )


@lru_cache(maxsize=8)
def _prepared(costs: str | LayerCosts) -> tuple[LayerCosts, KnownLayers]:
    model = make_costs(costs)
    return model, KnownLayers(model.steps)


def _coded(architectures: Sequence[Architecture]) -> tuple[list[list[int]], list[Layer]]:
    # each distinct layer once: libraries of thousands have only tens to hundreds
    number: dict[str, int] = {}
    layers: list[Layer] = []
    rows = []
    for architecture in architectures:
        row = []
        for layer in architecture.layers:
            if layer.canonical not in number:
                number[layer.canonical] = len(layers)
                layers.append(layer)
            row.append(number[layer.canonical])
        rows.append(row)
    return rows, layers
