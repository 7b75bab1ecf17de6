"""An architecture as a handful of categorical choices: depth, then what each layer is made of.

What layers share is one choice, and a choice that depends on another (a layer on the depth, a head
on the number of heads) exists only with it.
"""

from collections.abc import Callable, Sequence
from itertools import product
from math import gcd
from typing import NamedTuple

import numpy as np

from search_spaces import Architecture, Head, Layer
from search_spaces.kinds import MODEL_SLOTS, SLOTS, layer_widths
from surrogates.candidates import ENUMERATE
from surrogates.features.slot_choices import (
    SlotChoices,
    layer_options_among,
    model_options_among,
    of_layers,
    of_models,
)

REFERENCE = 256  # architectures drawn to learn the options of a space without a definition
STACKS = 64  # with more feed-forward stacks than this, depth and widths are choices of their own

Kind = tuple[str, str | int]


class Choice(NamedTuple):
    """What is chosen: an attribute of a layer, and which of several (heads, feed-forward maps).

    What is chosen in slots is called by its place, such as "layer feedforward" or "model norm".
    """

    attribute: str
    layer: int = 0
    place: int = 0

    def __str__(self) -> str:
        return f"{self.layer}.{self.attribute}.{self.place}"


# given a choice and its options, returns one of them
Pick = Callable[[Choice, tuple], object]


class Categories:
    """The choices that make an architecture of `space`, and their options."""

    def __init__(self, space):
        definition = getattr(space, "definition", None)
        self._head_width = None if definition is None else definition.head_width
        if definition is None:
            self._read_architectures(_reference(space))
        else:
            self._read_definition(definition)
        self._readers = {
            name: reader
            for slot in (*self._layer_slots, *self._model_slots)
            for name, reader in slot.readers.items()
        }
        self._columns: dict[str, int] = {}
        self._encoded: dict[str, dict[str, tuple[int, int]]] = {}
        self._rows: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def _read_definition(self, definition) -> None:
        self._depths, self._widths, self._heads = (
            definition.layers, definition.widths, definition.heads,
        )  # fmt: skip
        self._kinds, self._mixed = definition.kinds, definition.heads_in_layer == "mixed"
        self._shared, self._repeat = definition.shared, definition.layers_per_stack
        widths, depths = definition.feedforward_widths, definition.feedforward_depths
        if definition.feedforward == "homogeneous":
            self._set_stacks([(w,) * d for d, w in product(depths, widths)])
        else:
            self._set_stacks([s for d in depths for s in product(widths, repeat=d)])
        self._layer_slots = of_layers(definition.layer_options)
        self._model_slots = of_models(definition.model_options | definition.recipe_options)

    def _read_architectures(self, architectures: Sequence[Architecture]) -> None:
        layers = [layer for a in architectures for layer in a.layers]
        self._depths = _sorted(len(a) for a in architectures)
        self._widths = _sorted(layer.width for layer in layers)
        self._heads = _sorted(len(layer.heads) for layer in layers)
        kinds = {(h.operation, h.parameter) for layer in layers for h in layer.heads}
        self._kinds = tuple(sorted(kinds, key=str))
        self._mixed = any(len(layer.kinds) > 1 for layer in layers)
        if all(len({x.canonical for x in a.layers}) == 1 for a in architectures):
            self._shared = "everything"
        else:
            one = all(len({x.width for x in a.layers}) == 1 for a in architectures)
            self._shared = "width" if one else "nothing"
        runs = [n for n in range(1, gcd(*self._depths) + 1) if gcd(*self._depths) % n == 0]
        self._repeat = max(n for n in runs if all(_in_runs(a, n) for a in architectures))
        self._set_stacks(_sorted(layer.feedforward for layer in layers))
        self._layer_slots = of_layers(layer_options_among(architectures))
        self._model_slots = of_models(model_options_among(architectures))

    def _set_stacks(self, stacks) -> None:
        self._stacks = tuple(stacks) if len(stacks) <= STACKS else None
        self._stack_depths = _sorted(len(s) for s in stacks)
        self._stack_widths = _sorted(w for s in stacks for w in s)

    def compose(self, pick: Pick) -> dict[Choice, object]:
        """Make the choices one after the other; which ones there are depends on earlier ones."""
        made: dict[Choice, object] = {}

        def choose(options: tuple, *choice) -> object:
            made[Choice(*choice)] = value = pick(Choice(*choice), options)
            return value

        depth = choose(self._depths, "layers")
        if self._shared == "width":
            choose(self._widths, "width")
        for i in range(0, 1 if self._shared == "everything" else depth, self._repeat):
            if self._shared != "width":
                choose(self._widths, "width", i)
            heads = choose(self._heads, "heads", i)
            for j in range(heads if self._mixed else 1):
                choose(self._kinds, "kind", i, j)
            if self._stacks:
                choose(self._stacks, "feedforward", i)
            else:
                for j in range(choose(self._stack_depths, "maps", i)):
                    choose(self._stack_widths, "map", i, j)
            for slot in self._layer_slots:
                slot.compose(choose, i)
        for slot in self._model_slots:
            slot.compose(choose)
        return made

    def build(self, pick: Pick) -> Architecture:
        """Return the architecture that `pick` makes.

        A number of heads that does not go with the width gives way to the nearest that does; the
        result may still lie outside the space.
        """
        made = self.compose(pick)
        layers: list[Layer] = []
        for i in range(made[Choice("layers")]):
            if self._shared == "everything" and i or i % self._repeat:
                layers.append(layers[-1])
            else:
                layers.append(self._layer(made, i))
        standing = _standing(self._model_slots, made)
        parts = {name: part for name, part in standing.items() if name in MODEL_SLOTS}
        recipe = {name: value for name, value in standing.items() if name not in MODEL_SLOTS}
        return Architecture(layers, parts=parts, recipe=recipe)

    def _layer(self, made: dict[Choice, object], i: int) -> Layer:
        width = made[Choice("width", 0 if self._shared == "width" else i)]
        asked = made[Choice("heads", i)]
        fits = [n for n in self._heads if self._fits(width, n)]
        count = min(fits or [1], key=lambda n: (abs(n - asked), n))
        kinds = [made[Choice("kind", i, j % asked if self._mixed else 0)] for j in range(count)]
        if self._stacks:
            stack = made[Choice("feedforward", i)]
        else:
            maps = made[Choice("maps", i)]
            stack = tuple(made[Choice("map", i, j)] for j in range(maps))
        parts = _standing(self._layer_slots, made, i)
        block = parts.get("block", SLOTS["block"].default_part)
        head_width = self._head_width or max(layer_widths(width, block).inner // count, 1)
        heads = tuple(Head(*kind, head_width) for kind in sorted(kinds))
        return Layer(width, heads, stack, parts)

    def _fits(self, width: int, heads: int) -> bool:
        """Whether a layer of this width may have this many heads."""
        if self._head_width is not None:
            return True
        return heads <= width if self._mixed else width % heads == 0

    def encode(self, architecture: Architecture) -> dict[str, tuple[int, int]]:
        """Return the choices that make `architecture`: name to number and count of options.

        Choices of a value that is no option, in architectures from outside the space, are left out.
        """
        if architecture.hash in self._encoded:
            return self._encoded[architecture.hash]
        found = self._encoded[architecture.hash] = {}

        def read(choice: Choice, options: tuple) -> object:
            reader = self._readers.get(choice.attribute)
            value = reader(architecture, choice.layer) if reader else _value(architecture, choice)
            if value in options:
                found[str(choice)] = (options.index(value), len(options))
            return value

        self.compose(read)
        return found

    def differing(self, architecture: Architecture, others: Sequence[Architecture]) -> np.ndarray:
        """Return in how many choices each of `others` differs from `architecture`, `(n,)`."""
        rows = [self._row(a) for a in (architecture, *others)]
        codes = np.full((len(rows), len(self._columns)), -1)
        for row, known in zip(codes, rows, strict=True):
            row[known[0]] = known[1]
        return (codes[1:] != codes[0]).sum(axis=1)

    def _row(self, architecture: Architecture) -> tuple[np.ndarray, np.ndarray]:
        if architecture.hash not in self._rows:
            found = self.encode(architecture)
            columns = [self._columns.setdefault(name, len(self._columns)) for name in found]
            numbers = [number for number, _ in found.values()]
            self._rows[architecture.hash] = np.array(columns), np.array(numbers)
        return self._rows[architecture.hash]


def _reference(space) -> list[Architecture]:
    size = getattr(space, "size", None)
    if size is not None and size <= ENUMERATE:
        return list(space)
    return space.sample(REFERENCE, seed=0)


def _value(architecture: Architecture, choice: Choice) -> object:
    if choice.attribute == "layers":
        return len(architecture.layers)
    layer = architecture.layers[choice.layer]
    if choice.attribute == "kind":
        return sorted((h.operation, h.parameter) for h in layer.heads)[choice.place]
    if choice.attribute == "map":
        return layer.feedforward[choice.place]
    values = {
        "width": layer.width,
        "heads": len(layer.heads),
        "feedforward": layer.feedforward,
        "maps": len(layer.feedforward),
    }
    return values[choice.attribute]


def _standing(
    slots: Sequence[SlotChoices], made: dict[Choice, object], layer: int = 0
) -> dict[str, object]:
    """Return what the choices made put into slots and recipe, where they put anything."""
    if not slots:
        return {}
    chosen = {choice[:2]: value for choice, value in made.items()}
    found = {slot.slot: slot.standing(chosen, layer) for slot in slots}
    return {name: standing for name, standing in found.items() if standing is not None}


def _in_runs(architecture: Architecture, length: int) -> bool:
    layers = architecture.layers
    return all(layers[i] == layers[i - i % length] for i in range(len(layers)))


def _sorted(values) -> tuple:
    return tuple(sorted(set(values)))
