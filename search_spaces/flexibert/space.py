"""The FlexiBERT spaces: every layer chooses its width, heads and feed-forward stack.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023; Tuli and Jha, "EdgeTran", 2023 (heads of several kinds in one layer).
Differs on purpose: heads of a layer are an unordered multiset throughout, so every architecture of
the space is counted once and drawn with the same probability.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import PER_HEAD, PER_LAYER, Layer
from search_spaces.errors import InvalidArchitecture, InvalidSpace
from search_spaces.flexibert.choices import Choices, Offer, Stack
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.frames import Frame, Frames
from search_spaces.space import Space, draw_distinct


class FlexiBertSpace(Space):
    """All encoders a `SpaceDefinition` allows.

    An architecture is a sequence of stacks, each repeated `layers_per_stack` times. All of them are
    numbered from 0 to `size` - 1; `architecture_at` and `index_of` translate, with whole numbers of
    any size.

    Args:
        definition: What is allowed.
        name: What messages and records call the space.
    """

    def __init__(self, definition: SpaceDefinition, name: str = "flexibert"):
        self.definition = definition
        self.name = name
        self.max_layers = max(definition.layers)
        self._choices = Choices(definition)
        self._frames = Frames(definition)
        # the format a layer at a time has no place for widths of heads
        self._style = PER_HEAD if definition.per_head else PER_LAYER
        # one segment per depth, and per width where layers must share it: (stacks, width, count)
        shared_width = definition.shared == "width"
        self._segments = [
            (stacks, width, self._choices.count(width) ** (1 if self._uniform else stacks))
            for stacks in (n // definition.layers_per_stack for n in definition.layers)
            for width in (definition.widths if shared_width else (None,))
        ]
        # how many sequences of layers there are; the frame is the outer digit of a number
        self._bodies = sum(count for _, _, count in self._segments)
        self.first = self._read_first(definition.first)

    def _read_first(self, given: object) -> tuple[Architecture, ...]:
        """Return the architectures that a search begins with.

        Raises:
            InvalidSpace: They are no list, or one of them is no architecture of the space.
        """
        if not isinstance(given, list | tuple):
            raise InvalidSpace(
                f"first is {given!r:.60}. Give a list of architectures of the space, each as "
                "`nas space sample` prints it, or leave it out."
            )
        found: dict[Architecture, None] = {}
        for number, entry in enumerate(given, start=1):
            try:
                architecture = Architecture.from_dict(entry)
            except InvalidArchitecture as error:
                raise InvalidSpace(f"first, architecture {number}: {error}") from None
            if architecture not in self:
                raise InvalidSpace(
                    f"first, architecture {number} ({architecture.short}) is none of the space. "
                    "Give architectures as `nas space sample` prints them, or add what it has to "
                    "what the space allows."
                )
            found[architecture] = None
        return tuple(found)

    @property
    def size(self) -> int:
        return self._bodies * self._frames.count

    @property
    def _uniform(self) -> bool:
        return self.definition.shared == "everything"

    def architecture_at(self, index: int) -> Architecture:
        """Return the architecture with the given number.

        Raises:
            InvalidSpace: If the number is not from 0 to `size` - 1.
        """
        return self.architecture_of(self.choices_at(index), index // self._bodies)

    def index_of(self, architecture: Architecture) -> int:
        """Return the number of an architecture, the inverse of `architecture_at`.

        Raises:
            InvalidSpace: If the architecture is not in the space.
        """
        chosen = self.choices_of(architecture)
        width = architecture.layers[0].width
        before = self._bodies * self.frame_of(architecture)
        for stacks, shared, total in self._segments:
            if stacks == len(chosen) and shared in (None, width):
                index, base = 0, self._choices.count(shared)
                for choice in reversed(chosen[:1] if self._uniform else chosen):
                    index = index * base + choice - self._choices.before(shared)
                return before + index
            before += total
        raise AssertionError("every architecture of the space is in one segment")

    def choices_at(self, index: int) -> list[int]:
        """Return the number of every stack, first to last, of the architecture with a number.

        Stacks are numbered over all widths, from 0 to `stacks.count()` - 1.

        Raises:
            InvalidSpace: If the number is not from 0 to `size` - 1.
        """
        rest = index % self._bodies if 0 <= index < self.size else -1
        for stacks, width, count in self._segments:
            if 0 <= rest < count:
                base, before = self._choices.count(width), self._choices.before(width)
                chosen = []
                for _ in range(1 if self._uniform else stacks):
                    rest, digit = divmod(rest, base)
                    chosen.append(before + digit)
                return chosen * stacks if self._uniform else chosen
            rest -= count
        raise InvalidSpace(
            f"The space {self.name!r} has no architecture number {index}. Use 0 to space.size - 1."
        )

    def choices_of(self, architecture: Architecture) -> list[int]:
        """Return the number of every stack of an architecture, first to last.

        Raises:
            InvalidSpace: If the architecture is not in the space.
        """
        stacks = self._stacks(architecture)
        if stacks is None:
            self._require(architecture)
        return [self._choices.index_of(stack) for stack in stacks]

    def frame_of(self, architecture: Architecture) -> int:
        """Return the number of the model parts and the recipe of an architecture.

        Raises:
            InvalidSpace: If the architecture is not in the space.
        """
        number = self._frames.number_of(architecture)
        if number is None:
            self._require(architecture)
        return number

    def architecture_of(self, choices: Iterable[int], frame: int = 0) -> Architecture:
        """Return the architecture with stacks of these numbers, first to last.

        Args:
            choices: Numbers of the stacks.
            frame: Number of what all layers share: parts of the model, and the recipe.
        """
        layers = map(self._choices.layer_at, choices)
        return self._assemble(layers, self._frames.frame_at(frame))

    @property
    def frames(self) -> Frames:
        """What the model's slots and the recipe may be, numbered."""
        return self._frames

    @property
    def stacks(self) -> Choices:
        """What each stack may be, numbered."""
        return self._choices

    def indices_of(self, architecture: Architecture) -> np.ndarray:
        """Return an architecture as places in the space's lists of choices.

        The place of the depth, then for each layer those of its width, its feed-forward stack and
        its heads; zeros beyond the last layer. Length `1 + 3 * max_layers`: 37 for FlexiBERT 2.0;
        one more, the number of model parts and recipe, where there is more than one.

        Source: Tuli and Jha, "EdgeTran", 2023 (the embedding of FlexiBERT 2.0).

        Raises:
            InvalidSpace: If the architecture is not in the space.
        """
        self._require(architecture)
        framed = self._frames.count > 1
        encoded = np.zeros(1 + 3 * self.max_layers + framed, np.int64)
        if framed:
            encoded[-1] = self.frame_of(architecture)
        encoded[0] = self.definition.layers.index(len(architecture))
        for i, layer in enumerate(self.definition.without_first(architecture.layers)):
            stack = self._choices.stack_of(layer)
            encoded[1 + 3 * i : 4 + 3 * i] = self._choices.indices(stack)
        return encoded

    @property
    def decisions(self) -> tuple[str, ...]:
        """The names of all decisions there can be, in the order `decide` asks for them."""
        definition, steps = self.definition, self._choices.steps
        shared_width = definition.shared == "width"
        stacks = 1 if self._uniform else self.max_layers // definition.layers_per_stack
        named = (f"stack {i} {s}" for i in range(stacks) for s in steps[1 if shared_width else 0 :])
        first = (*self._frames.decisions, "layers")
        return (*first, *(["width"] if shared_width else []), *named)

    def decide(self) -> Generator[Offer, Any, Architecture]:
        """Make an architecture decision by decision: yield each offer, be sent what is chosen.

        An offer is the name of the decision, one of `decisions`, and what may be chosen there.
        Later offers depend on earlier choices. The architecture is what the generator returns.
        """
        frame = yield from self._frames.decide()
        layers = yield "layers", self.definition.layers
        stacks, width = layers // self.definition.layers_per_stack, None
        if self.definition.shared == "width":
            width = yield "width", self.definition.widths
        chosen = []
        for i in range(1 if self._uniform else stacks):
            steps, answer = self._choices.decide(width), None
            while True:
                try:
                    step, options = steps.send(answer)
                except StopIteration as made:
                    chosen.append(made.value)
                    break
                answer = yield f"stack {i} {step}", options
        return self._build(chosen * stacks if self._uniform else chosen, frame)

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
        """Return what one edit reaches.

        An edit gives one stack another width, number of heads, kind of head or feed-forward stack,
        repeats a run of stacks or leaves one out (to the next allowed depth). What layers share
        changes in all of them. Or it changes one part of the model or one choice of the recipe, by
        one step where it is a number.
        """
        return [self._build(*edited) for edited in self._edits(architecture)]

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        edits = self._edits(architecture)
        if not edits:
            return super().mutate(architecture, rng)
        return self._build(*edits[rng.integers(len(edits))])

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Return a child with the depth of one parent and each choice of a stack from either.

        Stacks meet at the same relative depth, so that parents of different depth mix too.
        """
        parents = [self._stacks(parent) for parent in (a, b)]
        for parent, stacks in zip((a, b), parents, strict=True):
            if stacks is None:
                self._require(parent)
        count = len(parents[rng.integers(2)])
        shared_width = None
        if self.definition.shared == "width":
            shared_width = parents[rng.integers(2)][0].width
        child = []
        for i in range(1 if self._uniform else count):
            pair = [stacks[i * len(stacks) // count] for stacks in parents]
            child.append(self._choices.mix(pair, rng, shared_width))
        frames = [self._frames.frame_at(self.frame_of(parent)) for parent in (a, b)]
        frame = self._frames.mix(*frames, rng)
        return self._build(child * count if self._uniform else child, frame)

    def __contains__(self, architecture: object) -> bool:
        return (
            isinstance(architecture, Architecture)
            and self._stacks(architecture) is not None
            and self._frames.number_of(architecture) is not None
        )

    def __iter__(self) -> Iterator[Architecture]:
        return (self.architecture_at(index) for index in range(self.size))

    def _build(self, stacks, frame: Frame) -> Architecture:
        return self._assemble(map(self._choices.layer, stacks), frame)

    def _assemble(self, layers: Iterable[Layer], frame: Frame) -> Architecture:
        repeat = self.definition.layers_per_stack
        repeated = [layer for layer in layers for _ in range(repeat)]
        return Architecture(self.definition.with_first(repeated), self._style, *frame)

    def _stacks(self, architecture: Architecture) -> tuple[Stack, ...] | None:
        definition = self.definition
        layers = definition.without_first(architecture.layers)
        if layers is None or len(layers) not in definition.layers:
            return None
        stacks = [self._choices.stack_of(layer) for layer in layers]
        repeat = definition.layers_per_stack
        runs = [stacks[i : i + repeat] for i in range(0, len(stacks), repeat)]
        if None in stacks or any(len(set(run)) > 1 for run in runs):
            return None
        first = tuple(run[0] for run in runs)
        if self._uniform and len(set(first)) > 1:
            return None
        if definition.shared == "width" and len({stack.width for stack in first}) > 1:
            return None
        return first

    def _edits(self, architecture: Architecture) -> list[tuple[tuple[Stack, ...], Frame]]:
        stacks = self._stacks(architecture)
        if stacks is None:
            self._require(architecture)
        frame = self._frames.frame_at(self.frame_of(architecture))
        found = dict.fromkeys(self._stack_edits(stacks))
        found.update(dict.fromkeys(self._depth_edits(stacks)))
        found.pop(stacks, None)
        reframed = dict.fromkeys(self._frames.edits(frame))
        return [*((edited, frame) for edited in found), *((stacks, other) for other in reframed)]

    def _stack_edits(self, stacks: tuple[Stack, ...]) -> Iterator[tuple[Stack, ...]]:
        shared = self.definition.shared
        if shared == "everything":
            yield from ((edited,) * len(stacks) for edited in self._choices.edits(stacks[0]))
            return
        for i, stack in enumerate(stacks):
            for edited in self._choices.edits(stack):
                if shared == "nothing" or edited.width == stack.width:
                    yield (*stacks[:i], edited, *stacks[i + 1 :])
        for width in self.definition.widths if shared == "width" else ():
            moved = tuple(replace(stack, width=width) for stack in stacks)
            if all(self._choices.allows(stack) for stack in moved):
                yield moved

    def _depth_edits(self, stacks: tuple[Stack, ...]) -> Iterator[tuple[Stack, ...]]:
        depths = [n // self.definition.layers_per_stack for n in self.definition.layers]
        here = depths.index(len(stacks))
        if here > 0:
            drop = len(stacks) - depths[here - 1]
            for i in range(len(stacks) - drop + 1):
                yield stacks[:i] + stacks[i + drop :]
        if here + 1 < len(depths):
            add = depths[here + 1] - len(stacks)
            run = min(add, len(stacks))
            for i in range(len(stacks) - run + 1):
                block = (stacks[i : i + run] * (add // run + 1))[:add]
                yield stacks[: i + run] + block + stacks[i + run :]
