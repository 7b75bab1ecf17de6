"""What lies between two architectures: a space of its own, whose choices are those of the two.

Source: Tuli et al., "FlexiBERT", JAIR 2023 (interpolation between neighbours of a library).
Differs on purpose: parents of different depth meet at the same relative depth instead of copying
the tail of the deeper one, and every feed-forward width of a parent counts, not only the first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import PER_HEAD, PER_LAYER, Layer
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.choices import Choices
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.frames import Frame, Frames
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.kinds import SLOTS
from search_spaces.space import Space, draw_distinct


def interpolate(a: Architecture, b: Architecture, space: FlexiBertSpace) -> "Interpolation":
    """Return the architectures of a space between two, as a space of its own.

    Args:
        a: One parent; it need not be in the space.
        b: The other.
        space: Where the architectures are from.

    Raises:
        InvalidSpace: If no architecture of the space lies between them.
    """
    return Interpolation(a, b, space)


class Interpolation(Space):
    """The architectures of a space whose every choice comes from one of two parents.

    Depth is that of a parent; width, number of heads, kinds of head, depth and widths of the
    feed-forward stack are those that a parent has at the same relative depth. List it (it is lazy),
    or `sample` it where it is too large for that.

    Args:
        a: One parent.
        b: The other.
        space: Where the architectures are from.
    """

    def __init__(self, a: Architecture, b: Architecture, space: FlexiBertSpace):
        self.name = f"{space.name} between {a.short} and {b.short}"
        self.space, self.max_layers = space, space.max_layers
        definition = space.definition
        self._frames = _frames(definition, (a, b))
        depths = sorted({len(a), len(b)} & set(definition.layers))
        # one segment per depth, and per width where layers must share it: choices by stack
        self._segments: list[tuple[list[Choices], int | None, int]] = []
        for depth in depths:
            stacks = depth // definition.layers_per_stack
            offered = [_offered(definition, (a, b), i, stacks) for i in range(stacks)]
            if definition.shared == "everything":
                both = [definition.without_first(p.layers) or p.layers for p in (a, b)]
                offered = [_restricted(definition, [*both[0], *both[1]])]
            self._add_segments([choices for choices in offered if choices], len(offered), stacks)
        if not self.size:
            raise InvalidSpace(
                f"No architecture of the space {space.name!r} lies between {a.describe()!r} and "
                f"{b.describe()!r}. Use parents of this space, or of a coarser one that "
                "`refine` makes it from."
            )

    def _add_segments(self, offered: list[Choices], needed: int, stacks: int) -> None:
        if len(offered) < needed:
            return
        widths: Sequence[int | None] = (None,)
        if self.space.definition.shared == "width":
            widths = sorted(set.intersection(*(set(c.definition.widths) for c in offered)))
        repeat = stacks // needed
        for width in widths:
            count = prod(choices.count(width) for choices in offered)
            self._segments.append((offered * repeat, width, count))

    @property
    def size(self) -> int:
        return self._bodies * (self._frames.count if self._frames else 0)

    @property
    def _bodies(self) -> int:
        return sum(count for _, _, count in self._segments)

    def architecture_at(self, index: int) -> Architecture:
        """Return the architecture with a number from 0 to `size` - 1."""
        if 0 <= index < self.size:
            frame, rest = divmod(index, self._bodies)
            for offered, width, count in self._segments:
                if rest < count:
                    return self._built(offered, width, rest, self._frames.frame_at(frame))
                rest -= count
        raise InvalidSpace(f"{self.name!r} has {self.size:,} architectures, none numbered {index}.")

    def _built(
        self, offered: list[Choices], width: int | None, index: int, frame: Frame
    ) -> Architecture:
        definition, layers = self.space.definition, []
        for choices in offered:
            # what all layers share is read off again for each
            shared = definition.shared == "everything"
            rest, digit = (index, index) if shared else divmod(index, choices.count(width))
            index = rest
            stack = choices.stack_at(digit, width)
            layers += [choices.layer(stack)] * definition.layers_per_stack
        style = PER_HEAD if definition.per_head else PER_LAYER
        return Architecture(definition.with_first(layers), style, *frame)

    def sample(
        self,
        n: int,
        seed: int = 0,
        *,
        accept: Callable[[Architecture], bool] | None = None,
    ) -> list[Architecture]:
        rng = np.random.default_rng(seed)
        return draw_distinct(n, self.size, rng, self.architecture_at, accept, self.name)

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        self._require(architecture)
        return [found for found in self.space.neighbours(architecture) if found in self]

    def __contains__(self, architecture: object) -> bool:
        if not isinstance(architecture, Architecture) or architecture not in self.space:
            return False
        repeat = self.space.definition.layers_per_stack
        if self._frames is None or self._frames.number_of(architecture) is None:
            return False
        layers = self.space.definition.without_first(architecture.layers)[::repeat]
        return any(
            len(offered) == len(layers)
            and width in (None, layers[0].width)
            and all(c.stack_of(layer) for c, layer in zip(offered, layers, strict=True))
            for offered, width, _ in self._segments
        )

    def __iter__(self) -> Iterator[Architecture]:
        return (self.architecture_at(index) for index in range(self.size))


def _frames(definition: SpaceDefinition, parents: Sequence[Architecture]) -> Frames | None:
    """Return what the parents have of the model's slots and the recipe; None if nothing fits."""
    kept: dict[str, dict[str, tuple]] = {"model": {}, "recipe": {}}
    for key, options in (
        ("model", definition.model_options),
        ("recipe", definition.recipe_options),
    ):
        for name, values in options.items():
            had = [p.part(name) if key == "model" else dict(p.recipe).get(name) for p in parents]
            kept[key][name] = tuple(value for value in values if value in had)
    if not all(values for of in kept.values() for values in of.values()):
        return None
    return Frames(replace(definition, **kept))


def _offered(
    definition: SpaceDefinition, parents: Sequence[Architecture], i: int, stacks: int
) -> Choices | None:
    """Return what the parents offer to stack `i` of so many, or None if the space allows none."""
    layers: list[Layer] = []
    for parent in parents:
        depth = len(parent)
        own = definition.without_first(parent.layers) or parent.layers
        layers += own[i * depth // stacks : -(-(i + 1) * depth // stacks)]
    return _restricted(definition, layers)


def _restricted(definition: SpaceDefinition, layers: Sequence[Layer]) -> Choices | None:
    kinds = {(head.operation, head.parameter) for layer in layers for head in layer.heads}
    operations = {
        operation: tuple(p for p in parameters if (operation, p) in kinds)
        for operation, parameters in definition.operations.items()
    }
    had = {
        "widths": {layer.width for layer in layers},
        "heads": {len(layer.heads) for layer in layers},
        "feedforward_widths": {width for layer in layers for width in layer.feedforward},
        "feedforward_depths": {len(layer.feedforward) for layer in layers},
    }
    kept: dict[str, tuple] = {
        key: tuple(v for v in getattr(definition, key) if v in had[key]) for key in had
    }
    kept["widths"] = tuple(
        w for w in kept["widths"] if any(definition.head_fits(w, n) for n in kept["heads"])
    )
    operations = {o: parameters for o, parameters in operations.items() if parameters}
    for slot, options in definition.layer_options.items():
        parts = {layer.part(slot) for layer in layers}
        kept[SLOTS[slot].plural] = tuple(part for part in options if part in parts)
    if not operations or not all(kept.values()):
        return None
    return Choices(replace(definition, operations=operations, **kept))
