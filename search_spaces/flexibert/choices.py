"""What one stack of a FlexiBERT space may be, numbered, and the small steps between choices."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from search_spaces.architectures.layers import Layer, shared_head
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.sequences import (
    Chain,
    Multisets,
    Numbered,
    Products,
    Repeated,
    numbered,
)
from search_spaces.kinds import LAYER_SLOTS, SLOTS
from search_spaces.parts import Part
from search_spaces.space import draw_below

Kind = tuple[str, str | int]
Parts = tuple[tuple[str, Part], ...]
Offer = tuple[str, tuple]  # the name of a decision, and what may be chosen there


@dataclass(frozen=True)
class Stack:
    """One choice: the layer it stands for without repeating the head width.

    Attributes:
        width: Width of the layer.
        kinds: Operation and parameter of every head, in the order of the space's list of kinds.
        feedforward: Widths of the feed-forward maps.
        parts: What stands in the slots of the layer, the usual left out, in the order of the slots.
    """

    width: int
    kinds: tuple[Kind, ...]
    feedforward: tuple[int, ...]
    parts: Parts = ()

    def with_part(self, slot: str, part: Part) -> "Stack":
        """Return the stack with another part in one slot."""
        return replace(self, parts=_parts({**dict(self.parts), slot: part}))


class Choices:
    """The stacks a definition allows, numbered from 0 within a width or over all widths.

    `layer(stack)` is the layer a stack stands for, `layer_at(index)` that of the stack with the
    number; the last ones asked for are kept.
    """

    def __init__(self, definition: SpaceDefinition):
        self.definition = definition
        self._order = {kind: i for i, kind in enumerate(definition.kinds)}
        # parts outermost, so that a space with one choice of them keeps its numbers
        self._slots = tuple(definition.layer_options)
        self._parts = numbered(Products(list(definition.layer_options.values())))
        self._feedforwards = numbered(_feedforwards(definition))
        self.body_count = self._parts.count * self._feedforwards.count
        self._heads = {width: numbered(self._head_choices(width)) for width in definition.widths}
        self._counts = {w: heads.count * self.body_count for w, heads in self._heads.items()}
        self._count = sum(self._counts[width] for width in definition.widths)
        self._parts_at = lru_cache(maxsize=1 << 12)(self._make_parts)
        self._parts_number = lru_cache(maxsize=1 << 12)(self._number_parts)
        self.layer = lru_cache(maxsize=1 << 16)(self._make_layer)
        self.layer_at = lru_cache(maxsize=1 << 16)(self._make_layer_at)

    def __reduce__(self) -> tuple[type, tuple[SpaceDefinition]]:
        # The cache belongs to one process; another builds its own.
        return type(self), (self.definition,)

    def count(self, width: int | None = None) -> int:
        """Return how many stacks there are of one width, or of all."""
        return self._count if width is None else self._counts[width]

    def stack_at(self, index: int, width: int | None = None) -> Stack:
        """Return the stack with the given number, the inverse of `index_of`."""
        for w in self.definition.widths if width is None else (width,):
            count = self._counts[w]
            if index < count:
                heads, body = divmod(index, self.body_count)
                parts, feedforward = divmod(body, self._feedforwards.count)
                return Stack(
                    w,
                    self._heads[w].at(heads),
                    self._feedforwards.at(feedforward),
                    self._parts_at(parts),
                )
            index -= count
        raise AssertionError("a stack number is below count(width)")

    def index_of(self, stack: Stack) -> int:
        """Return the number over all widths of a stack that the definition allows."""
        place = self._numbers(stack)
        if place is None:
            raise AssertionError("the definition allows the stack")
        heads, body = place
        return self.before(stack.width) + heads * self.body_count + body

    def before(self, width: int | None) -> int:
        """Return how many stacks of smaller widths there are; none where every width counts."""
        if width is None:
            return 0
        return sum(self.count(w) for w in self.definition.widths if w < width)

    def indices(self, stack: Stack) -> tuple[int, int, int]:
        """Return where width, parts with feed-forward stack, and heads stand in their lists."""
        width = self.definition.widths.index(stack.width)
        place = self._numbers(stack)
        if place is None:
            raise AssertionError("the definition allows the stack")
        heads, body = place
        return width, body, heads

    def allows(self, stack: Stack) -> bool:
        """Whether a stack is one of the choices."""
        return self._numbers(stack) is not None

    def _numbers(self, stack: Stack) -> tuple[int, int] | None:
        """Return the numbers of heads, and of parts with feed-forward maps; None if not allowed."""
        listed = self._heads.get(stack.width)
        heads = None if listed is None else listed.number(stack.kinds)
        feedforward = self._feedforwards.number(stack.feedforward)
        if heads is None or feedforward is None:
            return None
        parts = self._parts_number(stack.parts)
        return None if parts is None else (heads, parts * self._feedforwards.count + feedforward)

    def block_of(self, body: int) -> Part | None:
        """Return what stands in the block slot, of the number of parts with feed-forward maps.

        None for the usual.
        """
        return dict(self._parts_at(body // self._feedforwards.count)).get("block")

    def _make_parts(self, number: int) -> Parts:
        return _parts(zip(self._slots, self._parts.at(number), strict=True))

    def _number_parts(self, parts: Parts) -> int | None:
        chosen = dict(parts)
        # what is not said is the usual
        standing = tuple(chosen.pop(slot, SLOTS[slot].default_part) for slot in self._slots)
        return None if chosen else self._parts.number(standing)

    def stack_of(self, layer: Layer) -> Stack | None:
        """Return the choice that gives a layer, or None when the definition does not allow it."""
        kinds = [(head.operation, head.parameter) for head in layer.heads]
        width = self.definition.width_of_heads(layer.width, len(kinds), layer.part("block"))
        if layer.head_width != width or any(k not in self._order for k in kinds):
            return None
        kinds.sort(key=self._order.__getitem__)
        stack = Stack(layer.width, tuple(kinds), layer.feedforward, layer.parts)
        return stack if self.allows(stack) else None

    @property
    def bodies(self) -> tuple[tuple[Parts, tuple[int, ...]], ...]:
        """All pairs of parts and feed-forward maps, listed: only for spaces that have few."""
        parts = [self._parts_at(number) for number in range(self._parts.count)]
        return tuple(product(parts, self._feedforwards))

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the decisions that make a stack, in the order `decide` asks for them."""
        definition = self.definition
        kinds = max(definition.heads) if definition.heads_in_layer == "mixed" else 1
        heterogeneous = definition.feedforward == "heterogeneous"
        maps = max(definition.feedforward_depths) if heterogeneous else 1
        return (
            "width",
            "heads",
            *(f"kind {i}" for i in range(kinds)),
            "feed-forward depth",
            *(f"feed-forward width {i}" for i in range(maps)),
            *self._open,
        )

    @property
    def _open(self) -> dict[str, tuple[Part, ...]]:
        """The slots of a layer in which one of several parts may stand, with the parts."""
        return {slot: o for slot, o in self.definition.layer_options.items() if len(o) > 1}

    def decide(self, width: int | None = None) -> Generator[Offer, Any, Stack]:
        """Make a stack decision by decision: yield each offer, be sent what is chosen.

        Args:
            width: The width where layers share it, which is then no decision of this stack.
        """
        definition = self.definition
        if width is None:
            width = yield "width", definition.widths
        heads = yield "heads", tuple(n for n in definition.heads if definition.head_fits(width, n))
        kinds: list[Kind] = []
        for i in range(heads if definition.heads_in_layer == "mixed" else 1):
            # any kind, or that of a head chosen before (an urn of Polya): every multiset of kinds
            # comes up equally often
            kinds.append((yield f"kind {i}", (*definition.kinds, *kinds)))
        kinds.sort(key=self._order.__getitem__)
        depth = yield "feed-forward depth", definition.feedforward_depths
        stack: list[int] = []
        for i in range(depth if definition.feedforward == "heterogeneous" else 1):
            stack.append((yield f"feed-forward width {i}", definition.feedforward_widths))
        parts = {slot: options[0] for slot, options in definition.layer_options.items()}
        for slot, options in self._open.items():
            parts[slot] = yield slot, options
        maps = tuple(stack) * (depth // len(stack))
        return Stack(width, tuple(kinds) * (heads // len(kinds)), maps, _parts(parts))

    def edits(self, stack: Stack) -> Iterator[Stack]:
        """Yield the allowed stacks that differ in one choice; some more than once."""
        for width in self.definition.widths:
            edited = replace(stack, width=width)
            if width != stack.width and self.allows(edited):
                yield edited
        for kinds in self._kind_edits(stack.kinds):
            edited = replace(stack, kinds=tuple(sorted(kinds, key=self._order.__getitem__)))
            if edited.kinds != stack.kinds and self.allows(edited):
                yield edited
        for feedforward in self._feedforward_edits(stack.feedforward):
            edited = replace(stack, feedforward=feedforward)
            if feedforward != stack.feedforward and self.allows(edited):
                yield edited
        for slot, options in self._open.items():
            here = dict(stack.parts).get(slot, SLOTS[slot].default_part)
            yield from (stack.with_part(slot, part) for part in near_parts(slot, here, options))

    def mix(self, pair: list[Stack], rng: np.random.Generator, width: int | None) -> Stack:
        """Return a stack that takes each choice from either of two.

        Args:
            pair: The parents.
            rng: Decides.
            width: The width to use; by default one parent's.
        """
        feedforward = pair[rng.integers(2)].feedforward
        width = width or pair[rng.integers(2)].width
        first = int(rng.integers(2))
        parts = dict(pair[0].parts)
        for slot in self._open:
            parent = dict(pair[rng.integers(2)].parts)
            parts[slot] = parent.get(slot, SLOTS[slot].default_part)
        parts = _parts(parts)
        for parent in (pair[first], pair[1 - first]):
            mixed = Stack(width, parent.kinds, feedforward, parts)
            if self.allows(mixed):
                return mixed
        # the width came from another layer, and neither parent's number of heads divides it
        heads = self._heads[width]
        small = heads.count < 1 << 63
        drawn = rng.integers(heads.count) if small else draw_below(heads.count, rng)
        return Stack(width, heads.at(int(drawn)), feedforward, parts)

    def _head_choices(self, width: int) -> Numbered:
        definition = self.definition
        make = Multisets if definition.heads_in_layer == "mixed" else Repeated
        fitting = [n for n in definition.heads if definition.head_fits(width, n)]
        return Chain({n: make(definition.kinds, n) for n in fitting})

    def _make_layer(self, stack: Stack) -> Layer:
        block = dict(stack.parts).get("block")
        width = self.definition.width_of_heads(stack.width, len(stack.kinds), block)
        heads = tuple([shared_head(*kind, width) for kind in stack.kinds])
        return Layer(stack.width, heads, stack.feedforward, stack.parts)

    def _make_layer_at(self, index: int) -> Layer:
        return self.layer(self.stack_at(index))

    def _kind_edits(self, kinds: tuple[Kind, ...]) -> Iterator[tuple[Kind, ...]]:
        for count in self.definition.heads:
            # the same mixture spread over another number of heads
            yield tuple(kinds[i * len(kinds) // count] for i in range(count))
        if self.definition.heads_in_layer == "same":
            yield from ((kind,) * len(kinds) for kind in self.definition.kinds)
            return
        for old, new in product(dict.fromkeys(kinds), self.definition.kinds):
            i = kinds.index(old)
            yield (*kinds[:i], new, *kinds[i + 1 :])

    def _feedforward_edits(self, stack: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        definition = self.definition
        for depth in definition.feedforward_depths:
            yield (stack + stack[-1:] * depth)[:depth]
        for width in definition.feedforward_widths:
            if definition.feedforward == "homogeneous":
                yield (width,) * len(stack)
                continue
            for i in range(len(stack)):
                yield (*stack[:i], width, *stack[i + 1 :])


def near_parts(slot: str, here: Part, options: Iterable[Part]) -> list[Part]:
    """Return the offered parts one step from another: one setting a step off, or another kind.

    Another kind keeps the settings that both have by name where that is offered, else it comes with
    the first settings offered of it.
    """
    options = list(options)
    kinds = SLOTS[slot].kinds
    found: list[Part] = []
    alike = [part for part in options if part.kind == here.kind]
    kind = kinds[here.kind]
    for name in kind.settings:
        values = [kind.settings_of(part)[name] for part in alike]
        found += [part for part in kind.steps(here, name, values) if part in alike]
    for other in dict.fromkeys(part.kind for part in options):
        if other == here.kind:
            continue
        offered = [part for part in options if part.kind == other]
        mine, settings = kind.settings_of(here), kinds[other].settings
        kept = {name: mine[name] for name in settings if name in mine}
        same = [
            part
            for part in offered
            if all(kinds[other].settings_of(part)[name] == value for name, value in kept.items())
        ]
        found.append((same or offered)[0])
    return found


def _parts(chosen: Iterable[tuple[str, Part]] | dict[str, Part]) -> Parts:
    chosen = dict(chosen)
    return tuple(
        (slot, chosen[slot])
        for slot in LAYER_SLOTS
        if slot in chosen and not SLOTS[slot].is_default(chosen[slot])
    )


def _feedforwards(definition: SpaceDefinition) -> Numbered:
    widths = definition.feedforward_widths
    same = definition.feedforward == "homogeneous"
    return Chain(
        {
            depth: Repeated(widths, depth) if same else Products([widths] * depth)
            for depth in definition.feedforward_depths
        }
    )
