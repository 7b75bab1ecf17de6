"""The immutable architecture: a sequence of layers with a hash, a graph and a dictionary."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any

from search_spaces.architectures.dictionaries import read_dictionary, write_dictionary
from search_spaces.architectures.graph import architecture_graph
from search_spaces.architectures.layers import PER_HEAD, PER_LAYER, Layer, checked_parts
from search_spaces.errors import InvalidArchitecture, UnknownName
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, SLOTS, require_together
from search_spaces.operations import mixer_part
from search_spaces.parts import Part, Value, write_value
from search_spaces.recipes import read_choice

if TYPE_CHECKING:
    import networkx


class Architecture:
    """An encoder: a sequence of layers. Immutable; equal and hashable by `hash`.

    Args:
        layers: The layers, first to last.
        style: The dictionary format `to_dict` writes: "per-layer" (one kind of head in a layer) or
            "per-head". By default per-layer where that can express the architecture.
        parts: What stands in the model's slots where it is not the default: slot to part or text.
        recipe: What is chosen of the training together with the architecture: name of a recipe's
            field or slot to a number or the text of a part. Nothing is left out here.
    """

    __slots__ = ("_hash", "layers", "parts", "recipe", "style")
    layers: tuple[Layer, ...]
    style: str
    parts: tuple[tuple[str, Part], ...]
    recipe: tuple[tuple[str, Value], ...]

    def __init__(
        self,
        layers: tuple[Layer, ...] | list[Layer],
        style: str | None = None,
        parts: Mapping[str, object] | Iterable[tuple[str, object]] = (),
        recipe: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    ):
        layers = tuple(layers)
        if not layers:
            raise InvalidArchitecture("An architecture has no layers. Give at least one.")
        expressible, special = True, bool(parts)
        for layer in layers:
            expressible = expressible and layer.uniform
            special = special or bool(layer.parts)
        style = style or (PER_LAYER if expressible else PER_HEAD)
        if style not in (PER_LAYER, PER_HEAD):
            raise UnknownName("dictionary format", style, (PER_LAYER, PER_HEAD))
        if style == PER_LAYER and not expressible:
            raise InvalidArchitecture(
                "The per-layer format cannot express heads of several kinds in one layer, nor "
                "heads that are not as wide together as the layer. Use style='per-head'."
            )
        parts = checked_parts(parts, MODEL_SLOTS, "The model") if parts else ()
        recipe = checked_recipe(recipe) if recipe else ()
        if special:
            _require_together(layers, parts)
        # spelt out, as spaces draw architectures by the million
        keep = object.__setattr__
        keep(self, "layers", layers)
        keep(self, "style", style)
        keep(self, "parts", parts)
        keep(self, "recipe", recipe)
        keep(self, "_hash", None)

    @classmethod
    def from_dict(cls, dictionary: dict[str, Any]) -> "Architecture":
        """Read either published dictionary format; see `search_spaces.architectures.dictionaries`.

        Raises:
            InvalidArchitecture: If the dictionary describes no encoder.
        """
        return cls(*read_dictionary(dictionary))

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary in the format this architecture came from; JSON types only."""
        return write_dictionary(self.layers, self.style, self.parts, self.recipe)

    def part(self, slot: str) -> Part | None:
        """Return what stands in a slot of the model; None where the run's recipe says."""
        for name, part in self.parts:
            if name == slot:
                return part
        return SLOTS[slot].default_part

    @property
    def body(self) -> "Architecture":
        """This architecture without what was chosen of its training."""
        return Architecture(self.layers, self.style, self.parts) if self.recipe else self

    @property
    def canonical(self) -> str:
        """One line of text that is equal exactly for equal architectures."""
        front = ""
        if self.recipe:
            chosen = ";".join(f"{name}={write_value(value)}" for name, value in self.recipe)
            front += f"recipe:{chosen}‖"
        if self.parts:
            front += "|".join(f"{slot}={part}" for slot, part in self.parts) + "‖"
        return front + "|".join(layer.canonical for layer in self.layers)

    @property
    def hash(self) -> str:
        """64 hexadecimal characters, equal exactly when the graphs with labels are isomorphic.

        The layers of an architecture form a chain, so its graph is determined up to isomorphism by
        the chain of layers, each a width, a multiset of heads, a chain of feed-forward widths and
        what stands in its slots, and by what stands in those of the model and the recipe.
        The digest of that canonical form is therefore exact, not a fingerprint of neighbourhoods.
        """
        if self._hash is None:
            object.__setattr__(self, "_hash", sha256(self.canonical.encode()).hexdigest())
        return self._hash

    @property
    def short(self) -> str:
        """The first ten characters of `hash`, for people."""
        return self.hash[:10]

    def graph(self, style: str = "heads") -> "networkx.DiGraph":
        """Return the graph of blocks; see `search_spaces.architectures.graph`."""
        return architecture_graph(self, style)

    def describe(self) -> str:
        """Return one line for people: depth, widths, heads and feed-forward stacks by layer."""
        layers = self.layers
        widths = "·".join(str(layer.width) for layer in layers)
        heads = _runs(
            "+".join(f"{n}×{kind}" for kind, n in layer.kinds.items()) for layer in layers
        )
        stacks = _runs(">".join(_powers(layer.feedforward)) for layer in layers)
        text = f"{len(layers)} layers {widths} | {heads} | ff {stacks}"
        for slot in LAYER_SLOTS:
            if any(slot == name for layer in layers for name, _ in layer.parts):
                text += f" | {slot} {_runs(str(layer.part(slot)) for layer in layers)}"
        for slot, part in self.parts:
            text += f" | {slot} {part}"
        for name, value in self.recipe:
            text += f" | {name} {write_value(value)}"
        return text

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"An Architecture cannot be changed; build a new one instead ({name})."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(
            f"An Architecture cannot be changed; build a new one instead ({name})."
        )

    def __reduce__(self):
        return Architecture, (self.layers, self.style, self.parts, self.recipe)

    def __len__(self) -> int:
        return len(self.layers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self.hash == other.hash

    def __hash__(self) -> int:
        return int(self.hash[:15], 16)

    def __repr__(self) -> str:
        return f"<Architecture {self.short}: {self.describe()}>"


def checked_recipe(
    given: Mapping[str, object] | Iterable[tuple[str, object]],
) -> tuple[tuple[str, Value], ...]:
    """Return what is chosen of a training, sorted by name, parts as text.

    Raises:
        InvalidArchitecture: If a slot of the recipe has no such kind, setting or value, or the
            value of a field is no number and no text.
    """
    return tuple((name, read_choice(name, value)) for name, value in sorted(dict(given).items()))


def parts_of(architecture: Architecture) -> list[tuple[str, Part]]:
    """Return each distinct part that stands in a slot of an encoder, defaults included.

    Slot and part, in the order of the slots: those of the model, of layers, and the mixers. What
    was chosen of the training is not among them.
    """
    standing = [(slot, architecture.part(slot)) for slot in MODEL_SLOTS]
    for slot in LAYER_SLOTS:
        standing += [(slot, layer.part(slot)) for layer in architecture.layers]
    for layer in architecture.layers:
        standing += [
            ("mixer", mixer_part(head.operation, head.parameter)) for head, _ in layer.groups
        ]
    return list(dict.fromkeys((slot, part) for slot, part in standing if part is not None))


def _require_together(layers: tuple[Layer, ...], parts: tuple[tuple[str, Part], ...]) -> None:
    for i, layer in enumerate(layers):
        heads = (("mixer", mixer_part(h.operation, h.parameter)) for h, _ in layer.groups)
        require_together((*parts, *layer.parts, *heads), f"Layer {i}")


def _powers(widths: tuple[int, ...]) -> list[str]:
    runs = [(width, len(list(run))) for width, run in groupby(widths)]
    superscript = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return [f"{w}{str(n).translate(superscript)}" if n > 1 else str(w) for w, n in runs]


def _runs(items) -> str:
    runs = [(item, len(list(run))) for item, run in groupby(items)]
    if len(runs) == 1:
        return f"{runs[0][0]} in all" if runs[0][1] > 1 else runs[0][0]
    return " ".join(f"({item})×{n}" if n > 2 else " ".join([item] * n) for item, n in runs)
