"""What all layers of an encoder share beside their widths: parts of the model, and the recipe.

A frame is one choice of all of them. Frames are numbered, the recipe outermost, so that a space
that leaves nothing open has the one frame of number 0.
"""

from collections.abc import Generator, Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.flexibert.choices import Offer, near_parts
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.kinds import MODEL_SLOTS, RECIPE_SLOTS
from search_spaces.parts import Part, Value
from search_spaces.recipes import NUMBERS


class Frame(NamedTuple):
    """One choice of everything that layers do not choose.

    Attributes:
        model: Slot and part, as the space offers them, those at their default included.
        recipe: Name and value of each open field, sorted by name.
    """

    model: tuple[tuple[str, Part], ...] = ()
    recipe: tuple[tuple[str, Value], ...] = ()


NOTHING = Frame()


class Frames:
    """The frames of a definition, numbered.

    Args:
        definition: What is allowed.
    """

    def __init__(self, definition: SpaceDefinition):
        self._model = definition.model_options
        self._recipe = definition.recipe_options
        # innermost first: the model's digits below those of the recipe
        self._digits = [*self._model.items(), *self._recipe.items()]
        self.count = prod(len(options) for _, options in self._digits)

    def frame_at(self, number: int) -> Frame:
        """Return the frame with a number from 0 to `count` - 1."""
        if not self._digits:
            return NOTHING
        chosen = []
        for name, options in self._digits:
            number, digit = divmod(number, len(options))
            chosen.append((name, options[digit]))
        return Frame(tuple(chosen[: len(self._model)]), tuple(chosen[len(self._model) :]))

    def number_of(self, architecture: Architecture) -> int | None:
        """Return the number of an architecture's frame; None if the space does not allow it."""
        if not self._digits and not architecture.parts and not architecture.recipe:
            return 0
        recipe = dict(architecture.recipe)
        if set(recipe) != set(self._recipe) or any(
            slot not in self._model for slot, _ in architecture.parts
        ):
            return None
        number, base = 0, 1
        for name, options in self._digits:
            value = architecture.part(name) if name in self._model else recipe[name]
            if value not in options:
                return None
            number += base * options.index(value)
            base *= len(options)
        return number

    @property
    def open(self) -> dict[str, tuple]:
        """What has more than one option, the recipe first: name of the decision to options."""
        return {
            name: options
            for name, options in (*self._recipe.items(), *self._model.items())
            if len(options) > 1
        }

    def decide(self) -> Generator[Offer, Any, Frame]:
        """Make a frame decision by decision, as `FlexiBertSpace.decide` does."""
        chosen = {name: options[0] for name, options in self._digits}
        for name, options in self.open.items():
            chosen[name] = yield _decision(name), options
        return self._frame(chosen)

    @property
    def decisions(self) -> tuple[str, ...]:
        """The names of the decisions that `decide` asks for, in its order."""
        return tuple(_decision(name) for name in self.open)

    def edits(self, frame: Frame) -> Iterator[Frame]:
        """Yield the frames one step away: another kind, a setting or a number one step off."""
        chosen = {**dict(frame.model), **dict(frame.recipe)}
        for name, options in self.open.items():
            for value in near_values(name, chosen[name], options):
                yield self._frame({**chosen, name: value})

    def mix(self, a: Frame, b: Frame, rng: np.random.Generator) -> Frame:
        """Return a frame that takes every open choice from either of two."""
        parents = [{**dict(frame.model), **dict(frame.recipe)} for frame in (a, b)]
        chosen = dict(parents[0])
        for name in self.open:
            chosen[name] = parents[rng.integers(2)][name]
        return self._frame(chosen)

    def _frame(self, chosen: Mapping[str, Any]) -> Frame:
        return Frame(
            tuple((name, chosen[name]) for name in self._model),
            tuple((name, chosen[name]) for name in self._recipe),
        )


def near_values(name: str, here: Any, options: tuple) -> list:
    """Return the options one step from a value of the model or the recipe."""
    if name in MODEL_SLOTS:
        return near_parts(name, here, options)
    if name in RECIPE_SLOTS or name not in NUMBERS:
        return [value for value in options if value != here]
    place = options.index(here)
    return [options[i] for i in (place - 1, place + 1) if 0 <= i < len(options)]


def _decision(name: str) -> str:
    return f"model {name}" if name in MODEL_SLOTS else f"recipe {name}"
