"""An architecture as facts: one number each, named, grouped and weighted, for whoever describes it.

Features, one-hot names, place kernels, categories, edit costs, importance and pages read what
stands in slots from here, so that a new kind is known to all of them at once. Facts of two parts
differ exactly where the parts do; where a kind does not stand, its facts are 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.errors import InvalidSpace
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, RECIPE_SLOTS, SLOTS, Kind
from search_spaces.operations import OPERATIONS, PLAIN, mixer_part
from search_spaces.parts import Part, Value
from search_spaces.recipes import NUMBERS, read_phases

REFERENCE = 256  # architectures drawn to learn what varies in a space without a definition


class Fact(NamedTuple):
    """One number about a layer, a model or a recipe.

    Attributes:
        place: "layer", "model" or "recipe".
        group: The slot, or the field of a recipe: the unit of relevance and importance.
        name: Such as "feedforward=glu", "feedforward.experts" or "log2 mask_rate".
        value: 1 for what stands there; octaves or units from the default for a setting.
        weight: Edit cost of a difference of 1, in units of one layer.
    """

    place: str
    group: str
    name: str
    value: float
    weight: float


def part_facts(place: str, slot: str, part: Part, share: float = 1.0) -> Iterator[Fact]:
    """Yield what stands in a slot and how its settings are set.

    Args:
        place: "layer", "model" or "recipe".
        slot: Where it stands.
        part: What stands there.
        share: How much of the place it fills, such as a share of heads.
    """
    kind = SLOTS[slot].kinds[part.kind]
    # half of the weight on either side: another kind costs the mean of the two
    yield Fact(place, slot, f"{slot}={part.kind}", share, kind.weight / 2)
    for name, value in kind.settings_of(part).items():
        yield _setting_fact(place, slot, f"{slot}.{name}", kind, name, value, share)


def _setting_fact(
    place: str, slot: str, label: str, kind: Kind, name: str, value: Value, share: float
) -> Fact:
    setting = kind.settings[name]
    if setting.scale == "name":
        return Fact(place, slot, f"{label}={value}", share, setting.weight / 2)
    if setting.scale == "log":
        octaves = float(np.log2(value / setting.default))
        return Fact(place, slot, f"log2 {label}", share * octaves, setting.weight)
    return Fact(place, slot, label, share * float(value - setting.default), setting.weight)


def layer_facts(layer: Layer) -> list[Fact]:
    """Return the facts of what stands in a layer's slots, and of its newer mixers.

    Width, heads, kinds of the first three operations and the feed-forward widths have columns of
    their own in every description and are no facts.
    """
    found = [fact for slot in LAYER_SLOTS for fact in part_facts("layer", slot, layer.part(slot))]
    heads = len(layer.heads)
    for head, count in layer.groups:
        if head.operation not in PLAIN and OPERATIONS[head.operation].bare is None:
            part = mixer_part(head.operation, head.parameter)
            found += part_facts("layer", "mixer", part, count / heads)
        elif head.operation not in PLAIN:
            kind = OPERATIONS[head.operation]
            name = f"mixer={head.kind}"
            found.append(Fact("layer", "mixer", name, count / heads, kind.weight / 2))
    return _summed(found)


def model_facts(architecture: Architecture) -> list[Fact]:
    """Return the facts of what stands in the model's slots and of what is chosen of its recipe."""
    found: list[Fact] = []
    for slot in MODEL_SLOTS:
        part = architecture.part(slot)
        if part is not None:
            found += part_facts("model", slot, part)
    for name, value in architecture.recipe:
        found += recipe_facts(name, value)
    return found


def recipe_facts(name: str, value: Value) -> Iterator[Fact]:
    """Yield the facts of one choice of a recipe."""
    if name in RECIPE_SLOTS:
        for number, phase in enumerate(read_phases(name, value)):
            for part in phase:
                for fact in part_facts("recipe", name, part):
                    again = f"{number}: " if number else ""
                    yield fact._replace(name=again + fact.name)
        return
    setting = NUMBERS.get(name)
    if isinstance(value, str):
        yield Fact("recipe", name, f"{name}={value}", 1.0, 0.01)
    elif setting is not None and setting.scale == "line":
        yield Fact("recipe", name, name, float(value - setting.default), setting.weight)
    elif value > 0:
        default = setting.default if setting is not None else 1
        weight = setting.weight if setting is not None else 0.02
        yield Fact("recipe", name, f"log2 {name}", float(np.log2(value / default)), weight)
    else:
        yield Fact("recipe", name, f"{name}={value}", 1.0, 0.01)


class Columns:
    """The facts that vary among some architectures, as columns of numbers in a fixed order.

    A space in which nothing but the first three operations, widths and depths varies has none, so
    that its rows, and what is learned from them, are what they were before there were slots.

    Args:
        layers: Facts of layers, one collection for each that may occur.
        models: Facts of models and recipes, one collection for each that may occur.

    Attributes:
        layer_names: Names of the columns of a layer.
        layer_groups: The group of each.
        layer_weights: The edit cost of a difference of 1 of each, `(layer columns,)`.
        model_names: Names of the columns of a model, recipe included.
        model_groups: The group of each.
        model_weights: The edit cost of a difference of 1 of each, `(model columns,)`.
    """

    def __init__(self, layers: Iterable[Sequence[Fact]], models: Iterable[Sequence[Fact]]):
        self.layer_names, self.layer_groups, self.layer_weights = _varying(layers)
        self.model_names, self.model_groups, self.model_weights = _varying(models)
        self._layer_column = {name: i for i, name in enumerate(self.layer_names)}
        self._model_column = {name: i for i, name in enumerate(self.model_names)}

    @classmethod
    def of(cls, space: object) -> "Columns":
        """Return the columns of a space: of its definition, or of architectures drawn from it."""
        definition = getattr(space, "definition", None)
        if definition is not None and hasattr(definition, "layer_options"):
            return cls(*_offered(definition))
        if space is None:
            return cls((), ())
        return cls.among(_members(space))

    @classmethod
    def among(cls, architectures: Sequence[Architecture]) -> "Columns":
        """Return the columns of what varies among the given architectures."""
        # spaces share layer objects, and identity is far cheaper to look up than equality
        met = {id(layer): layer for architecture in architectures for layer in architecture.layers}
        special = any(architecture.parts or architecture.recipe for architecture in architectures)
        if not special and not any(_is_special(layer) for layer in met.values()):
            return cls((), ())
        layers = sorted(set(met.values()), key=lambda layer: layer.canonical)
        models = {(a.parts, a.recipe): a for a in architectures}
        return cls(map(layer_facts, layers), map(model_facts, models.values()))

    def __bool__(self) -> bool:
        return bool(self.layer_names or self.model_names)

    def of_layer(self, layer: Layer) -> np.ndarray:
        """Return the numbers of a layer, `(layer columns,)`."""
        if not self.layer_names:
            return np.zeros(0)
        return _row(layer_facts(layer), self._layer_column)

    def of_model(self, architecture: Architecture) -> np.ndarray:
        """Return the numbers of a model and its recipe, `(model columns,)`."""
        if not self.model_names:
            return np.zeros(0)
        return _row(model_facts(architecture), self._model_column)

    def of_models(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the numbers of models and their recipes, `(architectures, model columns)`."""
        rows = np.zeros((len(architectures), len(self.model_names)))
        known: dict[tuple, np.ndarray] = {}
        for row, architecture in zip(rows, architectures, strict=True):
            key = architecture.parts, architecture.recipe
            if key not in known:
                known[key] = self.of_model(architecture)
            row[:] = known[key]
        return rows

    @property
    def layer_slots(self) -> tuple[str, ...]:
        """The slots of a layer in which more than one thing stands."""
        return tuple(slot for slot in LAYER_SLOTS if slot in self.layer_groups)

    @property
    def model_choices(self) -> tuple[str, ...]:
        """The model's slots and the recipe's fields of which there is more than one value."""
        return tuple(dict.fromkeys(self.model_groups))


def is_special(architecture: Architecture) -> bool:
    """Whether an architecture has anything that not every encoder before slots had."""
    return bool(
        architecture.parts
        or architecture.recipe
        or any(_is_special(layer) for layer in architecture.layers)
    )


def _is_special(layer: Layer) -> bool:
    return bool(layer.parts) or any(head.operation not in PLAIN for head in layer.heads)


def choice_of(architecture: Architecture, name: str) -> Part | Value | None:
    """Return what stands in a slot of the model, or what is chosen of a field of the recipe."""
    if name in MODEL_SLOTS:
        return architecture.part(name)
    return dict(architecture.recipe).get(name)


def _members(space) -> Sequence[Architecture]:
    listed = getattr(space, "architectures", None)
    if listed is not None:
        return listed
    size = getattr(space, "size", None)
    if size is not None:
        return space.sample(min(size, REFERENCE), seed=0)
    n = REFERENCE
    while n > 1:  # a space that does not say how many it has refuses to draw more
        try:
            return space.sample(n, seed=0)
        except (InvalidSpace, ValueError):
            n //= 2
    return space.sample(n, seed=0)


def _offered(definition) -> tuple[list[list[Fact]], list[list[Fact]]]:
    """What a definition offers, one option at a time: an option's facts beside another's vary."""
    layers = [
        [*part_facts("layer", slot, part)]
        for slot, options in definition.layer_options.items()
        for part in options
    ]
    layers += [
        [*part_facts("layer", "mixer", mixer_part(operation, parameter))]
        if OPERATIONS[operation].bare is None
        else [Fact("layer", "mixer", f"mixer={operation}_{parameter}", 1.0, 0.02)]
        for operation, parameters in definition.operations.items()
        for parameter in parameters
        if operation not in PLAIN
    ]
    models = [
        [*part_facts("model", slot, part)]
        for slot, options in definition.model_options.items()
        for part in options
    ]
    models += [
        [*recipe_facts(name, value)]
        for name, values in definition.recipe_options.items()
        for value in values
    ]
    if any(operation in PLAIN for operation in definition.operations) and layers:
        layers.append([])  # a head of a plain operation has none of these
    # one option of a slot alone does not vary, but beside nothing it would
    return _beside(layers, definition), _beside(models, definition)


def _beside(options: list[list[Fact]], definition) -> list[list[Fact]]:
    alone: dict[str, int] = {}
    for facts in filter(None, options):
        alone[facts[0].group] = alone.get(facts[0].group, 0) + 1
    plain = any(operation in PLAIN for operation in definition.operations)
    return [
        facts
        for facts in options
        if not facts or alone[facts[0].group] > 1 or (facts[0].group == "mixer" and plain)
    ]


def _varying(
    rows: Iterable[Sequence[Fact]],
) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    rows = [list(facts) for facts in rows]
    first: dict[str, Fact] = {}
    values: dict[str, set[float]] = {}
    for fact in chain.from_iterable(rows):
        first.setdefault(fact.name, fact)
        values.setdefault(fact.name, set()).add(fact.value)
    seen = {name: sum(any(f.name == name for f in facts) for facts in rows) for name in first}
    kept = [
        fact
        for name, fact in first.items()
        if len(values[name] | ({0.0} if seen[name] < len(rows) else set())) > 1
    ]
    order = (*LAYER_SLOTS, "mixer", *MODEL_SLOTS, *RECIPE_SLOTS)
    places = {name: i for i, name in enumerate(order)}
    kept.sort(key=lambda fact: (places.get(fact.group, len(order)), fact.group, fact.name))
    return (
        tuple(fact.name for fact in kept),
        tuple(fact.group for fact in kept),
        np.array([fact.weight for fact in kept]),
    )


def _row(facts: Iterable[Fact], column: dict[str, int]) -> np.ndarray:
    row = np.zeros(len(column))
    for fact in facts:
        if fact.name in column:
            row[column[fact.name]] += fact.value
    return row


def _summed(facts: Iterable[Fact]) -> list[Fact]:
    """Join facts of one name: two groups of heads of one mixer with other settings."""
    found: dict[str, Fact] = {}
    for fact in facts:
        known = found.get(fact.name)
        found[fact.name] = fact if known is None else known._replace(value=known.value + fact.value)
    return list(found.values())
