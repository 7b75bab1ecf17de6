"""What stands in a slot, or is chosen of a recipe, as choices: of a kind, then of its settings."""

from collections.abc import Callable, Iterable, Mapping

from search_spaces import Architecture
from search_spaces.architectures.facts import choice_of
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, RECIPE_SLOTS, SLOTS
from search_spaces.parts import Part, Value

Standing = Part | Value | None  # None: nothing is said, and the run's recipe decides
Read = Callable[[Architecture, int], Standing]
# given options, a name and the number of a layer, returns one of the options
Choose = Callable[[tuple, str, int], object]


class SlotChoices:
    """The choices that fill one place; there is none where one thing alone may stand.

    Args:
        place: "layer", "model" or "recipe".
        slot: The slot, or the field of a recipe.
        options: What may stand there.
        read: Returns what stands there in a layer of an architecture.

    Attributes:
        slot: The slot, or the field of a recipe.
        readers: Name of a choice to a function that returns what an architecture chose.
    """

    def __init__(self, place: str, slot: str, options: Iterable[Standing], read: Read):
        self.slot, self._options = slot, tuple(options)
        self._name = f"{place} {slot}"
        heads = tuple(dict.fromkeys(_head(option) for option in self._options))
        self._settings = {head: self._settings_of(head) for head in heads}
        self.readers = {self._name: lambda a, layer: _head(read(a, layer))}
        for head, settings in self._settings.items():
            for name in settings:
                self.readers[self._label(head, name)] = self._reader(read, name)

    def _settings_of(self, head: Value | None) -> dict[str, tuple[Value, ...]]:
        parts = [part for part in self._options if isinstance(part, Part) and part.kind == head]
        if not parts:
            return {}
        rows = [SLOTS[self.slot].kinds[head].settings_of(part) for part in parts]
        return {name: tuple(dict.fromkeys(row[name] for row in rows)) for name in rows[0]}

    def _label(self, head: Value | None, setting: str) -> str:
        return f"{self._name}={head}.{setting}"

    def _reader(self, read: Read, setting: str) -> Callable[[Architecture, int], Value]:
        def reader(architecture: Architecture, layer: int) -> Value:
            part = read(architecture, layer)
            return SLOTS[self.slot].kinds[part.kind].settings_of(part)[setting]

        return reader

    def compose(self, choose: Choose, layer: int = 0) -> None:
        """Make the choices one after the other."""
        heads = tuple(self._settings)
        head = choose(heads, self._name, layer) if len(heads) > 1 else heads[0]
        for setting, values in self._settings.get(head, {}).items():
            if len(values) > 1:
                choose(values, self._label(head, setting), layer)

    def standing(self, made: Mapping[tuple[str, int], object], layer: int = 0) -> Standing:
        """Return what the choices made put there: name and layer to what was chosen."""
        head = made.get((self._name, layer), next(iter(self._settings)))
        if not any(isinstance(part, Part) and part.kind == head for part in self._options):
            return head
        settings = {
            name: made.get((self._label(head, name), layer), values[0])
            for name, values in self._settings[head].items()
        }
        return SLOTS[self.slot].kinds[head].part(settings)


def of_layers(options: Mapping[str, Iterable[Standing]]) -> list[SlotChoices]:
    """Return the choices of a layer's slots: slot to what may stand there.

    A slot in which nothing but its default may stand is left out.
    """
    return [
        SlotChoices("layer", slot, found, _of_layer(slot))
        for slot, found in options.items()
        if tuple(found) != (SLOTS[slot].default_part,)
    ]


def of_models(options: Mapping[str, Iterable[Standing]]) -> list[SlotChoices]:
    """Return the choices of the model's slots and of its recipe: name to what may be there.

    A slot in which nothing but its default may stand is left out.
    """
    return [
        SlotChoices(
            "model" if name in MODEL_SLOTS else "recipe",
            name,
            [_as_part(name, value) for value in found],
            lambda architecture, layer, name=name: _as_part(name, choice_of(architecture, name)),
        )
        for name, found in options.items()
        if name not in MODEL_SLOTS or tuple(found) != (SLOTS[name].default_part,)
    ]


def layer_options_among(architectures: Iterable[Architecture]) -> dict[str, list[Part]]:
    """Return what stands in the layers' slots of some architectures."""
    layers = {id(layer): layer for a in architectures for layer in a.layers}.values()
    return {slot: sorted({layer.part(slot) for layer in layers}, key=str) for slot in LAYER_SLOTS}


def model_options_among(architectures: Iterable[Architecture]) -> dict[str, list[Standing]]:
    """Return what stands in the model's slots and is chosen of the recipe of some architectures."""
    distinct = list({(a.parts, a.recipe): a for a in architectures}.values())
    chosen = dict.fromkeys(name for a in distinct for name, _ in a.recipe)
    return {
        name: sorted({choice_of(a, name) for a in distinct}, key=lambda x: (str(type(x)), str(x)))
        for name in (*MODEL_SLOTS, *chosen)
    }


def _of_layer(slot: str) -> Read:
    return lambda architecture, layer: architecture.layers[layer].part(slot)


def _as_part(name: str, value: Standing) -> Standing:
    """A recipe writes parts as text; a sum of several, or one that was lost, stays a text."""
    if name not in RECIPE_SLOTS or SLOTS[name].ordered or not isinstance(value, str):
        return value
    return SLOTS[name].read(value)


def _head(standing: Standing) -> Value | None:
    return standing.kind if isinstance(standing, Part) else standing
