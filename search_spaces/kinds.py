"""Slots and kinds: the places in an encoder and in its training where one of several ideas stands.

`SLOTS` is the closed list of slots; the kinds of a slot are a registry. A kind that is built with
torch is registered by the file that has its module (`nas/models/<slot>/`, `nas/training/<slot>/`);
that file is imported when the kind is first asked for, so that today's kinds cost no import.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.errors import InvalidArchitecture
from search_spaces.parts import Part, Setting, Value, is_name
from search_spaces.registry import Registry

if TYPE_CHECKING:
    from search_spaces.architectures.layers import Layer

LEVELS = ("head", "layer", "model", "recipe")
INSTALL = "A kind from another package is there once that package is installed."


class LayerShape(NamedTuple):
    """One layer, as the kinds of its slots count it.

    Attributes:
        width: Width of the hidden states the layer reads and writes.
        inner: Width of all heads together.
        head_width: Width of each head.
        feedforward: Widths of the inner feed-forward maps, first to last.
        norm: Parameters of one norm over the width.
        last: Whether no layer follows.
        inner_norm: Parameters of one norm over what the map after the heads writes.
        sums: Residual sums over the layer's own width, each with its norm.
        states: Hidden states there are when the layer begins: one more than layers before it.
        rows: Rows of a table of distances that heads of the layer read; 0 for none.
    """

    width: int
    inner: int
    head_width: int
    feedforward: tuple[int, ...]
    norm: int
    last: bool
    inner_norm: int = 0
    sums: int = 2
    states: int = 1
    rows: int = 0


class LayerWidths(NamedTuple):
    """How wide what stands in a layer reads and writes, as the layer's block has it.

    Attributes:
        inner: What the map after the heads writes, and feed-forwards read and write.
        read: What heads read.
        values: What the values of heads read, where these can read something else.
        feedforwards: How many feed-forwards stand one after the other.
        sums: Residual sums over the layer's own width.
    """

    inner: int
    read: int
    values: int
    feedforwards: int = 1
    sums: int = 2


class ModelShape(NamedTuple):
    """An encoder without its layers' inside, as the kinds of its slots count it.

    Attributes:
        widths: Width of each layer.
        head_widths: Width of the heads of each layer.
        vocabulary_size: Number of tokens.
        max_length: Longest sequence, in tokens.
        token_types: Number of segment kinds.
        norm: Parameters of one norm over so many features.
        attends: Whether any head makes scores of queries and keys.
        table: Width of the rows of the embedding's table, which an output decodes with.
        embedded: Width of the vectors of tokens, types and positions that are summed.
        carried: For each layer how many earlier hidden states pass the projection after it beside
            its own, because a later layer reads them; empty for none.
    """

    widths: tuple[int, ...]
    head_widths: tuple[int, ...]
    vocabulary_size: int
    max_length: int
    token_types: int
    norm: Callable[[int], int]
    attends: bool = True
    table: int = 0
    embedded: int = 0
    carried: tuple[int, ...] = ()


@dataclass(frozen=True)
class Block:
    """A node of the graph that a kind draws.

    Attributes:
        label: With everything that tells it from others, such as "f512 glu".
        block: What it is: "head", "norm", "feedforward", or a word of the kind's own.
        published: Its label in the code of the FlexiBERT paper; None for the same label.
    """

    label: str
    block: str
    published: str | None = None


def _nothing(shape: Any, part: Part) -> int:
    return 0


def _no_operations(shape: Any, part: Part, length: int) -> int:
    return 0


def _common(a: Part, b: Part) -> Part | None:
    return a if a.kind == b.kind else None


@dataclass(frozen=True)
class Kind:
    """One idea that can stand in a slot.

    What a shape is depends on the level of the slot: a `HeadGroup` for mixers, a `LayerShape`, a
    `ModelShape`; of a norm its number of features.

    Attributes:
        name: Letters, digits and "-"; unique in its slot.
        title: The name for people.
        settings: Its knobs by name.
        parameters: Trainable parameters of a shape with a part of this kind.
        flops: Floating-point operations for one sequence of the given length.
        kept: Numbers a token leaves behind for the backward pass, for the forecast of memory.
        refuses: Slot to what it cannot stand beside, each with the reason: kinds, or parts such as
            "rtd(sharing=disentangled)" where only some settings are meant. Slots of the recipe too.
        weight: Edit cost of another kind in this slot, in units of one layer.
        shared: Largest part that two parts have in common, for inheritance; None for none.
        blocks: The nodes that the graph has for it, first to last: in place of a head (mixers), of
            the maps (feed-forwards) or of the norm of each residual sum (residuals), or before the
            heads (blocks of a layer). None draws what is usual there, with the part in its label.
        formats: Export format it cannot be written in, with the reason.
        bare: The setting that is written bare, as the kernel in "c_5"; mixers only.
        attends: Whether it makes scores of queries and keys, that positions add to; mixers only.
        splits: Whether its values can be read from other hidden states; mixers only.
        widths: How wide what stands in a layer is, for the layer's width; blocks only. None where
            all is as wide as the layer.
        looks_back: Whether it reads what every earlier layer wrote; residuals only.
        rows: Of a table of distances that attention makes queries and keys of, at a length;
            positions only.
        causal: Whether each token can be kept from seeing later ones; None for what is usual in the
            slot: in a mixer not, in others always.
        table: Width of the rows of its table, for a width of the first layer; embeddings only.
        embedded: Width of the vectors that are summed with types and positions, likewise.
    """

    name: str
    title: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    parameters: Callable[[Any, Part], int] = _nothing
    flops: Callable[[Any, Part, int], int] = _no_operations
    kept: Callable[[Any, Part], float] = _nothing
    refuses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    weight: float = 0.04
    shared: Callable[[Part, Part], Part | None] = _common
    blocks: Callable[["Layer", Part], list[Block]] | None = None
    formats: Mapping[str, str] = field(default_factory=dict)
    bare: str | None = None
    attends: bool = False
    splits: bool = False
    widths: Callable[[int, Part], LayerWidths] | None = None
    looks_back: bool = False
    rows: Callable[[Part, int], int] = _nothing
    causal: bool | None = None
    table: Callable[[int, Part], int] = lambda width, part: width
    embedded: Callable[[int, Part], int] = lambda width, part: width

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(
                f"A kind is called {self.name!r}; use letters, digits and '-' alone, so that the "
                "name can stand in any text."
            )
        if self.bare is not None and self.bare not in self.settings:
            raise ValueError(f"{self.name!r} has no setting {self.bare!r} to write bare")

    def part(self, settings: Mapping[str, object] | Iterable = (), where: str = "") -> Part:
        """Return a part of this kind with checked settings, those at their default left out.

        Raises:
            InvalidArchitecture: If the kind has no such setting, or a value is not allowed.
        """
        where = where or self.name
        given, chosen = dict(settings), {}
        for name, value in given.items():
            if name not in self.settings:
                has = ", ".join(self.settings) or "none"
                raise InvalidArchitecture(
                    f"{where} has the setting {name!r}, which {self.name!r} ({self.title}) does "
                    f"not know. Its settings: {has}."
                )
            checked = self.settings[name].check(value, f"{where}: {name}")
            if checked != self.settings[name].default:
                chosen[name] = checked
        return Part.of(self.name, chosen)

    def settings_of(self, part: Part) -> dict[str, Value]:
        """Return every setting of a part of this kind, those at their default included."""
        return {name: s.default for name, s in self.settings.items()} | dict(part.settings)

    def steps(self, part: Part, name: str, options: Iterable[Value]) -> list[Part]:
        """Return the parts that differ in one setting by one step among the options in order.

        Names have no order: every other one is a step away.
        """
        here = self.settings_of(part)[name]
        options = list(dict.fromkeys(options))
        if self.settings[name].scale != "name" and here in options:
            place = sorted(options).index(here)
            options = sorted(options)[max(place - 1, 0) : place + 2]
        rest = dict(part.settings)
        return [self.part(rest | {name: value}) for value in options if value != here]


@dataclass(frozen=True)
class Slot:
    """A place where one kind stands.

    Attributes:
        name: In dictionaries and texts.
        level: "head", "layer", "model" or "recipe".
        title: The name for people.
        default: The kind that stands there where nothing is said, which is left out of every text;
            None where the run's recipe says what stands there.
        kinds: Name to kind.
        ordered: Whether the slot holds sums of parts in phases, `mlm+wso > rtd`, instead of one.
        plural: The key of a space file that lists what may stand there.
    """

    name: str
    level: str
    title: str
    default: str | None
    kinds: Registry[Kind]
    ordered: bool = False
    plural: str = ""

    def read(self, value: object, where: str = "") -> Part:
        """Return the part that a text, a part or a name stands for, checked by its kind.

        Raises:
            InvalidArchitecture: If there is no such kind, or it has no such setting or value.
        """
        where = where or self.name
        part = value if isinstance(value, Part) else Part.parse(value, where)
        if part.kind not in self.kinds:
            known = sorted(self.kinds)
            raise InvalidArchitecture(
                f"{where} is {str(value)!r}, and no {self.title} is called {part.kind!r}. "
                f"Available: {', '.join(known)}. {INSTALL}"
            )
        return self.kinds[part.kind].part(part.settings, where)

    def is_default(self, part: Part) -> bool:
        """Whether a part is what stands here where nothing is said."""
        return part.kind == self.default and not part.settings

    @cached_property
    def default_part(self) -> Part | None:
        """The part that stands here where nothing is said."""
        return None if self.default is None else Part(self.default)


# name, level, title, default, key in space files, and the package whose modules register kinds.
# The order is that of texts, facts and decisions.
_TABLE = """
feedforward         layer   feed-forward        mlp      feedforwards   nas.models.feedforwards
block               layer   block               plain    blocks         nas.models.blocks
residual            layer   residual            post     residuals      nas.models.residuals
embedding           model   embedding           learned  embeddings     nas.models.embeddings
positions           model   kind-of-positions   -        positions      nas.models.positions
norm                model   norm                layer    norms          nas.models.norms
output              model   output              tied     outputs        nas.models.outputs
projection          model   projection          linear   projections    nas.models.projections
objective           recipe  objective           mlm      objectives     nas.training.objectives
optimizer           recipe  optimizer           adamw    optimizers     nas.training.optimizers
finetune_optimizer  recipe  optimizer           adamw    optimizers     nas.training.optimizers
schedule            recipe  schedule            linear   schedules      nas.training.schedules
distillation        recipe  distillation        none     distillations  nas.training.distillation
finetuning          recipe  way-of-fine-tuning  full     finetunings    nas.training.finetunings
augmentation        recipe  augmentation        none     augmentations  nas.training.augmentations
"""


def _slots() -> Iterator[Slot]:
    mixers: Registry[Kind] = Registry(
        "operation", "nas.operations", ("search_spaces.operations", "nas.models.mixers")
    )
    yield Slot("mixer", "head", "operation", None, mixers, plural="operations")
    for line in _TABLE.strip().splitlines():
        name, level, title, default, plural, home = line.split()
        title, group = title.replace("-", " "), f"nas.{plural}"
        if name == "objective":
            group = "nas.pretraining"  # "nas.objectives" are what a search optimises
        homes = ("search_spaces.standard_kinds", *([] if home == "-" else [home]))
        kinds: Registry[Kind] = Registry(title, group, homes)
        sums = name in ("objective", "finetuning")
        yield Slot(name, level, title, None if default == "-" else default, kinds, sums, plural)


SLOTS: Mapping[str, Slot] = {slot.name: slot for slot in _slots()}
LAYER_SLOTS = tuple(s.name for s in SLOTS.values() if s.level == "layer")
MODEL_SLOTS = tuple(s.name for s in SLOTS.values() if s.level == "model")
RECIPE_SLOTS = tuple(s.name for s in SLOTS.values() if s.level == "recipe")


@lru_cache(maxsize=1 << 12)
def layer_widths(width: int, block: Part) -> LayerWidths:
    """Return how wide what stands in a layer is, for its width and its block."""
    widths = SLOTS["block"].kinds[block.kind].widths
    return LayerWidths(width, width, width) if widths is None else widths(width, block)


def require_together(parts: Iterable[tuple[str, Part]], where: str) -> None:
    """Check that parts can stand beside each other.

    Raises:
        InvalidArchitecture: If one refuses another; the message has the reason.
    """
    standing = list(parts)
    for slot, part in standing:
        refused = SLOTS[slot].kinds[part.kind].refuses
        for other, beside in standing if refused else ():
            reason = _reason(other, beside, refused.get(other, {}))
            if reason is not None:
                allowed = [k for k in SLOTS[other].kinds if k not in refused[other]]
                raise InvalidArchitecture(
                    f"{where}: {slot}={part.kind} cannot stand beside {other}={beside.kind}: "
                    f"{reason}. Beside it can stand {other}: {', '.join(allowed)}."
                )


def _reason(slot: str, part: Part, refused: Mapping[str, str]) -> str | None:
    """Return why a part is refused, if a kind or a part with these settings is."""
    for text, reason in refused.items():
        what = Part.parse(text)
        if what.kind == part.kind and (
            not what.settings
            or set(what.settings) <= set(SLOTS[slot].kinds[part.kind].settings_of(part).items())
        ):
            return reason
    return None
