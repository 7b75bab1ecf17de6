"""What a FlexiBERT-like space offers, validated: the content of a space's YAML file."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from search_spaces.architectures.layers import MOST_LAYERS, MOST_MAPS, Layer, check_kind
from search_spaces.errors import InvalidArchitecture, InvalidSpace, UnknownName
from search_spaces.flexibert.options import (
    part_options,
    read_first_layer,
    read_model,
    read_options,
    read_recipe,
)
from search_spaces.kinds import (
    INSTALL,
    LAYER_SLOTS,
    RECIPE_SLOTS,
    SLOTS,
    layer_widths,
    require_together,
)
from search_spaces.operations import OPERATIONS, is_whole, mixer_part, write_settings
from search_spaces.parts import Part, Value
from search_spaces.recipes import flattened, read_phases


@dataclass(frozen=True)
class SpaceDefinition:
    """The choices every layer has, and what layers must share.

    Attributes:
        layers: Allowed numbers of layers.
        widths: Allowed widths of a layer.
        heads: Allowed numbers of heads in a layer. With `heads_in_layer: same` a number of heads
            goes only with the widths it divides.
        operations: Operation to its allowed parameters, such as `sa: [sdp, wma]`.
        feedforward_widths: Allowed widths of a feed-forward map.
        feedforward_depths: Allowed numbers of feed-forward maps in a layer.
        layers_per_stack: Layers come in runs of this many identical ones.
        feedforward: "homogeneous" (one width in a stack of maps) or "heterogeneous".
        heads_in_layer: "same" (all heads of a layer alike, together as wide as the layer) or
            "mixed" (any multiset of kinds; each head as wide as the layer's width over the number
            of heads, rounded down).
        head_width: Width of every head, whatever the layer's; None for the layer's width, or that
            inside of its block, over its number of heads. With it, `heads_in_layer: same` says only
            that heads are of one kind.
        shared: What all layers share: "nothing", "width" or "everything" (a homogeneous encoder).
        feedforwards: What may stand in the feed-forward slot of a layer: kinds, with the values of
            their settings where several are offered, such as `{mlp: {}, glu: {activation: [gelu,
            silu]}}`.
        blocks: The same for the block slot.
        residuals: The same for the residual slot.
        first_layer: Slot of a layer to what stands there in the first layer, whatever the others
            have, such as `{residual: pre(norms=feedforward)}`: no choice, and not among the stacks.
        model: Slot of the model to what may stand there.
        recipe: Field or slot of the training recipe to what may be chosen with the architecture: a
            list, or `{from: 5e-4, to: 4e-3, steps: 4}` for numbers at equal ratios.
        first: Architectures of the space, as dictionaries, that a search begins with, in this
            order: what is known to be good. A space is the same space with others.
        description: One sentence for people.
    """

    layers: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[int, ...]
    operations: Mapping[str, tuple[str | int, ...]]
    feedforward_widths: tuple[int, ...]
    feedforward_depths: tuple[int, ...]
    layers_per_stack: int = 1
    feedforward: str = "homogeneous"
    heads_in_layer: str = "same"
    shared: str = "nothing"
    feedforwards: Any = ()
    blocks: Any = ()
    residuals: Any = ()
    model: Any = ()
    recipe: Any = ()
    head_width: int | None = None
    first_layer: Any = ()
    first: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)
    description: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for key in NUMBER_LISTS:
            object.__setattr__(self, key, _numbers(key, getattr(self, key)))
        for key, allowed in WORDS.items():
            if getattr(self, key) not in allowed:
                raise InvalidSpace(
                    str(UnknownName(f"value of {key!r}", getattr(self, key), allowed))
                )
        object.__setattr__(self, "operations", _operations(self.operations))
        for slot in LAYER_SLOTS:
            key = SLOTS[slot].plural
            object.__setattr__(self, key, read_options(slot, getattr(self, key)))
        object.__setattr__(self, "first_layer", read_first_layer(self.first_layer))
        object.__setattr__(self, "model", read_model(self.model))
        object.__setattr__(self, "recipe", read_recipe(self.recipe))
        self._check_first_layer()
        self._check_together()
        self._check_stacks()
        self._check_heads()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SpaceDefinition":
        """Build a definition from the content of a YAML file.

        Raises:
            InvalidSpace: If a key or value is unknown or missing.
        """
        if not isinstance(values, Mapping):
            raise InvalidSpace(
                f"A space is a mapping from keys to values, not a {type(values).__name__}. "
                f"Its keys are {', '.join(KEYS)}."
            )
        for key in values:
            if key not in KEYS:
                close = get_close_matches(str(key), KEYS, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise InvalidSpace(
                    f"A space has no key {key!r}.{hint} Allowed keys: {', '.join(KEYS)}."
                )
        missing = [f.name for f in fields(cls) if f.default is MISSING and f.name not in values]
        if missing:
            raise InvalidSpace(
                f"The space has no {', '.join(map(repr, missing))}. Every space needs "
                f"{', '.join(f.name for f in fields(cls) if f.default is MISSING)}."
            )
        return cls(**values)

    @property
    def kinds(self) -> tuple[tuple[str, str | int], ...]:
        """All pairs of operation and parameter, in the order given."""
        return tuple((o, p) for o, parameters in self.operations.items() for p in parameters)

    @property
    def per_head(self) -> bool:
        """Whether its architectures need the format with a width for every head."""
        narrow = any(
            SLOTS["block"].kinds[part.kind].widths is not None
            for part in self.layer_options["block"]
        )
        return self.heads_in_layer == "mixed" or self.head_width is not None or narrow

    @property
    def layer_options(self) -> dict[str, tuple[Part, ...]]:
        """Slot of a layer to what may stand there, at least one part."""
        return {slot: getattr(self, SLOTS[slot].plural) for slot in LAYER_SLOTS}

    @property
    def model_options(self) -> dict[str, tuple[Part, ...]]:
        """Slot of the model to what may stand there, where the space says."""
        return dict(self.model)

    @property
    def offered(self) -> list[tuple[str, Part]]:
        """Each slot of layers, models and heads with each part that may stand there."""
        listed = [*self.layer_options.items(), *self.model]
        parts = [(slot, part) for slot, options in listed for part in options]
        parts += self.first_layer
        return parts + [("mixer", mixer_part(*kind)) for kind in self.kinds]

    @property
    def recipe_options(self) -> dict[str, tuple[Value, ...]]:
        """Field or slot of the recipe to what may be chosen."""
        return dict(self.recipe)

    def with_first(self, layers: Sequence[Layer]) -> list[Layer]:
        """Return layers, the first of them with what stands in every first layer."""
        return _with_parts(layers, dict(self.first_layer))

    def without_first(self, layers: Sequence[Layer]) -> list[Layer] | None:
        """Return layers as the choices have them; None where the first lacks what it must have."""
        if any(layers[0].part(slot) != part for slot, part in self.first_layer):
            return None
        # what is chosen for the first layer in these slots is lost: the first option stands for it
        usual = {slot: self.layer_options[slot][0] for slot, _ in self.first_layer}
        return _with_parts(layers, usual)

    def _check_first_layer(self) -> None:
        for slot, part in self.first_layer:
            if len(self.layer_options[slot]) > 1:
                raise InvalidSpace(
                    f"first_layer.{slot} is {part}, and {SLOTS[slot].plural} offers "
                    f"{len(self.layer_options[slot])} parts. What the first layer has can differ "
                    "from the others' where they have one choice: offer one, or leave it out."
                )

    def _check_together(self) -> None:
        """Every offered part must go with every other, so that all combinations exist."""
        parts = [*self.offered]
        for name, values in self.recipe:
            if name in RECIPE_SLOTS:
                chosen = (flattened(read_phases(name, value)) for value in values)
                parts += [(name, part) for found in chosen for part in found]
        try:
            require_together(parts, "The space")
        except InvalidArchitecture as error:
            raise InvalidSpace(f"{error} Leave one of the two out of the space.") from None

    def _check_stacks(self) -> None:
        per_stack = self.layers_per_stack
        if not is_whole(per_stack) or per_stack < 1:
            raise InvalidSpace(f"layers_per_stack is {per_stack!r}. Give a positive whole number.")
        odd = [n for n in self.layers if n % per_stack]
        if odd:
            raise InvalidSpace(
                f"layers contains {odd[0]}, which is not a multiple of layers_per_stack = "
                f"{per_stack}. Use multiples of {per_stack}, or layers_per_stack: 1."
            )

    def _check_heads(self) -> None:
        if not isinstance(self.description, str):
            raise InvalidSpace(f"description is {self.description!r}. Give a text.")
        if self.head_width is not None and (not is_whole(self.head_width) or self.head_width < 1):
            raise InvalidSpace(
                f"head_width is {self.head_width!r}. Give a positive whole number, such as 64, or "
                "leave it out for the layer's width over its number of heads."
            )
        for width in self.widths:
            fits = [n for n in self.heads if self.head_fits(width, n)]
            if not fits:
                raise InvalidSpace(
                    f"The width {width} goes with none of the numbers of heads "
                    f"{', '.join(map(str, self.heads))}. Add a number of heads that divides "
                    f"{width}, or leave the width out."
                )

    def width_of_heads(self, width: int, heads: int, block: Part | None = None) -> int:
        """Return how wide each of a layer's heads is: together as wide as it is inside.

        Args:
            width: Width of the layer.
            heads: How many it has.
            block: What stands in its block slot; None for the usual.
        """
        if self.head_width is not None:
            return self.head_width
        inner = width if block is None else layer_widths(width, block).inner
        return max(inner // heads, 1)

    def head_fits(self, width: int, heads: int) -> bool:
        """Whether a layer of this width may have this many heads."""
        if self.head_width is not None:
            return True
        return heads <= width if self.heads_in_layer == "mixed" else width % heads == 0


def _with_parts(layers: Sequence[Layer], parts: Mapping[str, Part]) -> list[Layer]:
    """Return layers, the first of them with other parts."""
    if not parts or not layers:
        return list(layers)
    first = layers[0]
    changed = Layer(first.width, first.heads, first.feedforward, {**dict(first.parts), **parts})
    return [changed, *layers[1:]]


NUMBER_LISTS = ("layers", "widths", "heads", "feedforward_widths", "feedforward_depths")
# far beyond what anyone trains, and little enough to be counted and built at once
MOST = {
    "layers": MOST_LAYERS,
    "widths": 1_000_000,
    "heads": 512,
    "feedforward_widths": 1_000_000,
    "feedforward_depths": MOST_MAPS,
}
WORDS = {
    "feedforward": ("homogeneous", "heterogeneous"),
    "heads_in_layer": ("same", "mixed"),
    "shared": ("nothing", "width", "everything"),
}
KEYS = tuple(f.name for f in fields(SpaceDefinition))


def _numbers(key: str, values: object) -> tuple[int, ...]:
    if not isinstance(values, list | tuple) or not values:
        raise InvalidSpace(f"{key} is {values!r}. Give a list of whole numbers, such as [2, 4].")
    for value in values:
        if not is_whole(value) or not 1 <= value <= MOST[key]:
            raise InvalidSpace(
                f"{key} contains {value!r}. Give positive whole numbers, up to {MOST[key]:,}."
            )
    numbers = tuple(int(value) for value in values)
    if len(set(numbers)) < len(numbers):
        twice = next(n for n in numbers if numbers.count(n) > 1)
        raise InvalidSpace(f"{key} contains {twice} more than once. Give each value once.")
    return tuple(sorted(numbers))


def _operations(operations: object) -> dict[str, tuple[str | int, ...]]:
    if not isinstance(operations, Mapping) or not operations:
        raise InvalidSpace(
            f"operations is {operations!r}. Give a mapping from operation to its parameters, such "
            "as {sa: [sdp, wma], l: [dct], c: [5, 9]}."
        )
    checked = {}
    for operation, parameters in operations.items():
        if not isinstance(operation, str) or operation not in OPERATIONS:
            unknown = UnknownName("operation", operation, OPERATIONS)
            raise InvalidSpace(f"operations: {unknown} {INSTALL}")
        if OPERATIONS[operation].bare is None:
            options = part_options("mixer", operation, parameters, f"operations.{operation}")
            checked[operation] = tuple(write_settings(part) for part in options)
            continue
        if not isinstance(parameters, list | tuple) or not parameters:
            raise InvalidSpace(
                f"operations.{operation} is {parameters!r}. Give a list of its parameters, such as "
                "[sdp, wma]."
            )
        where = f"operations.{operation}"
        try:
            kinds = [check_kind(operation, parameter, where) for parameter in parameters]
        except InvalidArchitecture as error:
            raise InvalidSpace(str(error)) from None
        if len(set(kinds)) < len(kinds):
            raise InvalidSpace(
                f"{where} is {list(parameters)}, with a value more than once. Give each once."
            )
        checked[operation] = tuple(parameter for _, parameter in kinds)
    return checked
