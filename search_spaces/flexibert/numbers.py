"""Architectures as a few whole numbers: drawn, hashed and told apart without being built."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256

import numpy as np

from search_spaces.architectures.layers import Layer
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.kinds import layer_widths
from search_spaces.space import PERMUTED, draw_below

DIGEST = 16  # bytes kept of a hash: two of 10^12 architectures agree with probability 10^-15


class CompactCodes:
    """Architectures of one space by the numbers of their stacks, and their hashes.

    A stack's number is that of its heads (with the width) times the feed-forward stacks there are,
    plus that of its feed-forward stack.

    Args:
        space: Where the architectures are from.
    """

    def __init__(self, space: FlexiBertSpace):
        self.space = space
        self.feedforwards = space.stacks.body_count
        self.heads = space.stacks.count() // self.feedforwards
        definition = space.definition
        self.length = max(definition.layers) // definition.layers_per_stack
        self._repeat = definition.layers_per_stack
        self._heads: dict[tuple[int, int], str] = {}
        self._feedforwards: dict[int, str] = {}
        self._fronts: dict[int, str] = {}  # of the canonical text, by frame

    @cached_property
    def classes(self) -> np.ndarray:
        """For each feed-forward stack with parts, the number of the width that heads share in it.

        Blocks with a width of their own have other heads; where there is none, there is one class.
        """
        found, numbers = np.zeros(self.feedforwards, int), {}
        if len(self.space.definition.layer_options["block"]) > 1:
            for body in range(self.feedforwards):
                block = self.space.stacks.block_of(body)
                inner = block and layer_widths(0, block).inner  # 0 where it is the layer's
                found[body] = numbers.setdefault(inner or 0, len(numbers))
        return found

    def layer(self, stack: int) -> Layer:
        """Return the layer a stack's number stands for."""
        return self.space.stacks.layer(self.space.stacks.stack_at(stack))

    def digest(self, stacks: Sequence[int], frame: int = 0) -> bytes:
        """Return the first 16 bytes of the `hash` of the architecture with these stacks."""
        texts = []
        for stack in stacks:
            heads, feedforward = divmod(stack, self.feedforwards)
            of = heads, int(self.classes[feedforward])
            if of not in self._heads or feedforward not in self._feedforwards:
                *first, rest = self.layer(stack).canonical.partition("]")
                self._heads[of], self._feedforwards[feedforward] = "".join(first), rest
            texts += [self._heads[of] + self._feedforwards[feedforward]] * self._repeat
        if frame not in self._fronts:
            whole = self.space.architecture_of(stacks, frame).canonical
            self._fronts[frame] = whole[: whole.rfind("‖") + 1]
        if self.space.definition.first_layer:
            texts[0] = self.space.architecture_of(stacks, frame).layers[0].canonical
        return sha256((self._fronts[frame] + "|".join(texts)).encode()).digest()[:DIGEST]

    def draw(self, n: int, seed: int) -> Iterator[tuple[list[int], int, bytes]]:
        """Yield stacks, frames and digests of `n` distinct architectures: those of `space.sample`.

        Raises:
            InvalidSpace: If the space has fewer than `n`.
        """
        size = self.space.size
        if n < 1 or n > size:
            raise InvalidSpace(
                f"Asked for {n:,} architectures of the space {self.space.name!r}, which has "
                f"{size:,}. Ask for 1 to that many."
            )
        seen: set[bytes] = set()
        bodies = size // self.space.frames.count
        for index in _indices(size, np.random.default_rng(seed)):
            stacks = self.space.choices_at(index)
            frame = index // bodies
            digest = self.digest(stacks, frame)
            if digest not in seen:
                seen.add(digest)
                yield stacks, frame, digest
                if len(seen) == n:
                    return


def _indices(size: int, rng: np.random.Generator) -> Iterator[int]:
    if size <= PERMUTED:
        yield from rng.permutation(size).tolist()
        return
    while True:
        yield draw_below(size, rng)
