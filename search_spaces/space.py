"""What every design space is: a set of architectures one can draw from and move about in."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidSpace

if TYPE_CHECKING:
    from search_spaces.architectures.facts import Columns

PERMUTED = 1 << 22  # largest space of which a sample is the start of a permutation


class Space(ABC):
    """A set of architectures.

    A space of one's own needs three methods: `sample`, `neighbours` and `__contains__`. The others
    have defaults built on these; a space that can be counted sets `size`.

    Attributes:
        name: What messages and records call the space.
        max_layers: Most layers an architecture of the space has; sets the length of `features`.
        first: What a search of the space begins with, whatever its policy; most have nothing.
    """

    name: str = "space"
    max_layers: int = 24
    first: "tuple[Architecture, ...]" = ()

    @abstractmethod
    def sample(
        self,
        n: int,
        seed: int = 0,
        *,
        accept: Callable[[Architecture], bool] | None = None,
    ) -> list[Architecture]:
        """Return `n` distinct architectures, uniform over the distinct architectures of the space.

        Args:
            n: How many.
            seed: The same seed gives the same architectures in the same order, and a smaller `n` a
                beginning of the list for a larger one.
            accept: Constraint: only architectures for which it returns True are drawn, uniformly
                among these.

        Raises:
            InvalidSpace: If the space, or the accepted part of it, has fewer than `n`.
        """

    @abstractmethod
    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """Return the architectures one small step away: distinct, in the space, not itself.

        Raises:
            InvalidSpace: If the architecture is not in the space.
        """

    @abstractmethod
    def __contains__(self, architecture: object) -> bool:
        """Whether an architecture belongs to the space."""

    @property
    def size(self) -> int | None:
        """How many distinct architectures there are, exactly; None if the space cannot tell."""
        return None

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Return a random neighbour.

        Raises:
            InvalidSpace: If the architecture is not in the space or has no neighbours.
        """
        neighbours = self.neighbours(architecture)
        if not neighbours:
            raise InvalidSpace(
                f"{architecture.short} has no neighbours in the space {self.name!r}, so it cannot "
                "be mutated. Use a larger space, or sample instead."
            )
        return neighbours[rng.integers(len(neighbours))]

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Return an architecture of the space made from two of its architectures.

        By default a mutation of one of the two, drawn at random.

        Raises:
            InvalidSpace: If a parent is not in the space.
        """
        return self.mutate(a if rng.integers(2) else b, rng)

    def features(self, architecture: Architecture) -> np.ndarray:
        """Return numbers a surrogate can learn from; see `architectures.features`.

        Returns:
            float64, of one length for the whole space.
        """
        from search_spaces.architectures.features import encode_features

        return encode_features([architecture], self.max_layers, self._columns)[0]

    @cached_property
    def _columns(self) -> "Columns":
        """What varies here in slots and recipe; found once, as it may take a sample."""
        from search_spaces.architectures.facts import Columns

        return Columns.of(self)

    def __iter__(self) -> Iterator[Architecture]:
        if self.size is None:
            raise TypeError(f"The space {self.name!r} cannot list its architectures; sample it.")
        return iter(self.sample(self.size))

    def __len__(self) -> int:
        size = self.size
        if size is None:
            raise TypeError(f"The space {self.name!r} cannot count its architectures.")
        if size > sys.maxsize:
            raise OverflowError(
                f"The space {self.name!r} has {shown_size(size)} architectures, more than len() "
                "can return. Use space.size."
            )
        return size

    def __repr__(self) -> str:
        size = self.size
        return f"<{type(self).__name__} {self.name!r}: {'?' if size is None else shown_size(size)}>"

    def _require(self, architecture: Architecture) -> None:
        if architecture not in self:
            shown = (
                architecture.describe() if isinstance(architecture, Architecture) else architecture
            )
            raise InvalidSpace(
                f"The architecture {shown!r} is not in the space {self.name!r}. Use one for which "
                "`architecture in space` is true, such as one from space.sample."
            )


def draw_distinct(
    n: int,
    size: int,
    rng: np.random.Generator,
    build: Callable[[int], Architecture],
    accept: Callable[[Architecture], bool] | None,
    name: str,
) -> list[Architecture]:
    """Return `n` distinct architectures, uniform over the numbers below `size` that `build` maps.

    Raises:
        InvalidSpace: If there are fewer than `n`, or after 20,000 draws in a row nothing that
            `accept` lets through.
    """
    if n < 0 or n > size:
        raise InvalidSpace(
            f"Asked for {n:,} architectures of the space {name!r}, which has {shown_size(size)}. "
            f"Ask for 0 to {shown_size(size)}."
        )
    drawn: list[Architecture] = []
    refused = 0
    for index in _distinct_indices(size, n, rng):
        if len(drawn) == n:
            break
        architecture = build(index)
        if accept is None or accept(architecture):
            drawn.append(architecture)
            refused = 0
            continue
        refused += 1
        if refused >= 20_000:
            break
    if len(drawn) < n:
        raise InvalidSpace(
            f"Found only {len(drawn):,} of {n:,} architectures of the space {name!r} that meet the "
            f"constraint, the last {refused:,} draws having failed. Loosen the constraint, ask for "
            "fewer, or use another space."
        )
    return drawn


def _distinct_indices(size: int, n: int, rng: np.random.Generator):
    # a permutation where it fits memory: rejection would slow down towards the end
    if size <= PERMUTED:
        yield from rng.permutation(size).tolist()
        return
    seen: set[int] = set()
    while len(seen) < size:
        index = draw_below(size, rng)
        if index not in seen:
            seen.add(index)
            yield index


def draw_below(bound: int, rng: np.random.Generator) -> int:
    """Return a whole number from 0 to `bound` - 1, uniform for bounds of any size."""
    bits = (bound - 1).bit_length()
    while True:
        value = int.from_bytes(rng.bytes((bits + 7) // 8), "little") & ((1 << bits) - 1)
        if value < bound:
            return value


def shown_size(size: int) -> str:
    """Return a number of architectures for people, whatever its size."""
    return f"{size:,}" if size < 10**15 else f"{Decimal(size):.4e}"
