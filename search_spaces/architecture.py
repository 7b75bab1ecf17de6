"""What an encoder is made of: heads, layers, and the immutable architecture they form."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any

from search_spaces.errors import InvalidArchitecture, UnknownName
from search_spaces.operations import OPERATIONS, is_whole

if TYPE_CHECKING:
    import networkx

PER_LAYER, PER_HEAD = "per-layer", "per-head"


@dataclass(frozen=True, order=True)
class Head:
    """One head of a layer: what it does, and how wide it is.

    Attributes:
        operation: A name in `search_spaces.operations.OPERATIONS`: "sa", "l" or "c".
        parameter: What the operation needs to know: "sdp", "wma", "dft", "dct" or a kernel size.
        width: Width of the head.
    """

    operation: str
    parameter: str | int
    width: int

    @property
    def kind(self) -> str:
        """Operation and parameter, such as "sa_sdp" or "c_5"."""
        return f"{self.operation}_{self.parameter}"

    def __str__(self) -> str:
        return f"{self.operation}_{self.parameter}_{self.width}"

    @classmethod
    def parse(cls, text: object, where: str = "the head") -> "Head":
        """Read a head written as in the per-head dictionaries, such as "sa_sdp_64".

        Raises:
            InvalidArchitecture: If it is not `operation_parameter_width` with values that exist.
        """
        parts = text.split("_") if isinstance(text, str) else ()
        if len(parts) != 3 or not parts[2].isdecimal() or int(parts[2]) < 1:
            raise InvalidArchitecture(
                f"{where} is {text!r}. A head is written operation_parameter_width with a positive "
                "width, such as 'sa_sdp_64', 'l_dct_64' or 'c_5_64'."
            )
        operation, parameter, width = parts
        return cls(*check_kind(operation, _number(parameter), where), int(width))


@dataclass(frozen=True)
class Layer:
    """One encoder layer: heads side by side, then a stack of feed-forward maps.

    Attributes:
        width: Width of the hidden states the layer reads and writes.
        heads: The heads in the order they were given, which has no meaning; all of one width.
        feedforward: Widths of the hidden feed-forward maps, first to last.
    """

    width: int
    heads: tuple[Head, ...]
    feedforward: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.heads:
            raise InvalidArchitecture("A layer has no heads. Give at least one.")
        if not self.feedforward:
            raise InvalidArchitecture("A layer has no feed-forward widths. Give at least one.")
        if len({head.width for head in self.heads}) > 1:
            widths = sorted({head.width for head in self.heads})
            raise InvalidArchitecture(
                f"A layer has heads of different widths ({', '.join(map(str, widths))}): "
                f"{', '.join(map(str, self.heads))}. Give all heads of a layer the same width."
            )
        if self.width < 1 or min(self.feedforward) < 1:
            raise InvalidArchitecture(
                f"A layer has width {self.width} and feed-forward widths {list(self.feedforward)}. "
                "All widths must be positive."
            )

    @property
    def head_width(self) -> int:
        """Width of each head."""
        return self.heads[0].width

    @property
    def inner_width(self) -> int:
        """Width of all heads together, which the output projection reads."""
        return len(self.heads) * self.heads[0].width

    @cached_property
    def kinds(self) -> dict[str, int]:
        """How many heads there are of each kind, in sorted order of kind."""
        return dict(sorted(Counter(head.kind for head in self.heads).items()))

    @property
    def groups(self) -> tuple[tuple[Head, int], ...]:
        """Each distinct head with how often it occurs, in sorted order of kind."""
        counted = Counter(self.heads)
        return tuple(sorted(counted.items(), key=lambda item: item[0].kind))

    @cached_property
    def canonical(self) -> str:
        """One line of text that is equal exactly for equal layers, whatever the order of heads."""
        heads = ",".join(f"{head}*{n}" for head, n in sorted(Counter(self.heads).items()))
        return f"{self.width}[{heads}]{'>'.join(map(str, self.feedforward))}"

    @cached_property
    def uniform(self) -> bool:
        """Whether all heads are of one kind and together exactly as wide as the layer."""
        return len(set(self.heads)) == 1 and self.inner_width == self.width


class Architecture:
    """An encoder: a sequence of layers. Immutable; equal and hashable by `hash`.

    Args:
        layers: The layers, first to last.
        style: The dictionary format `to_dict` writes: "per-layer" (one kind of head in a layer) or
            "per-head". By default per-layer where that can express the architecture.
    """

    __slots__ = ("_hash", "layers", "style")
    layers: tuple[Layer, ...]
    style: str

    def __init__(self, layers: tuple[Layer, ...] | list[Layer], style: str | None = None):
        layers = tuple(layers)
        if not layers:
            raise InvalidArchitecture("An architecture has no layers. Give at least one.")
        expressible = all(layer.uniform for layer in layers)
        style = style or (PER_LAYER if expressible else PER_HEAD)
        if style not in (PER_LAYER, PER_HEAD):
            raise UnknownName("dictionary format", style, (PER_LAYER, PER_HEAD))
        if style == PER_LAYER and not expressible:
            raise InvalidArchitecture(
                "The per-layer format cannot express heads of several kinds in one layer, nor "
                "heads that are not as wide together as the layer. Use style='per-head'."
            )
        for slot, value in (("layers", layers), ("style", style), ("_hash", None)):
            object.__setattr__(self, slot, value)

    @classmethod
    def from_dict(cls, dictionary: dict[str, Any]) -> "Architecture":
        """Read either published dictionary format; see `search_spaces.dictionaries`.

        Raises:
            InvalidArchitecture: If the dictionary describes no encoder.
        """
        from search_spaces.dictionaries import read_dictionary

        return cls(*read_dictionary(dictionary))

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary in the format this architecture came from; JSON types only."""
        from search_spaces.dictionaries import write_dictionary

        return write_dictionary(self.layers, self.style)

    @property
    def hash(self) -> str:
        """64 hexadecimal characters, equal exactly when the graphs with labels are isomorphic.

        The layers of an architecture form a chain, so its graph is determined up to isomorphism by
        the chain of layers, each a width, a multiset of heads and a chain of feed-forward widths.
        The digest of that canonical form is therefore exact, not a fingerprint of neighbourhoods.
        """
        if self._hash is None:
            canonical = "|".join(layer.canonical for layer in self.layers)
            object.__setattr__(self, "_hash", sha256(canonical.encode()).hexdigest())
        return self._hash

    @property
    def short(self) -> str:
        """The first ten characters of `hash`, for people."""
        return self.hash[:10]

    def graph(self, style: str = "heads") -> "networkx.DiGraph":
        """Return the graph of blocks; see `search_spaces.graph.architecture_graph`."""
        from search_spaces.graph import architecture_graph

        return architecture_graph(self, style)

    def describe(self) -> str:
        """Return one line for people: depth, widths, heads and feed-forward stacks by layer."""
        layers = self.layers
        widths = "·".join(str(layer.width) for layer in layers)
        heads = _runs(
            "+".join(f"{n}×{kind}" for kind, n in layer.kinds.items()) for layer in layers
        )
        stacks = _runs(">".join(_powers(layer.feedforward)) for layer in layers)
        return f"{len(layers)} layers {widths} | {heads} | ff {stacks}"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"An Architecture cannot be changed; build a new one instead ({name})."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(
            f"An Architecture cannot be changed; build a new one instead ({name})."
        )

    def __reduce__(self):
        return Architecture, (self.layers, self.style)

    def __len__(self) -> int:
        return len(self.layers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self.hash == other.hash

    def __hash__(self) -> int:
        return int(self.hash[:15], 16)

    def __repr__(self) -> str:
        return f"<Architecture {self.short}: {self.describe()}>"


def check_kind(operation: object, parameter: object, where: str) -> tuple[str, str | int]:
    """Return a valid pair of operation and parameter.

    Raises:
        InvalidArchitecture: If there is no such operation, or it has no such parameter.
    """
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise InvalidArchitecture(f"{where}: {UnknownName('operation', operation, OPERATIONS)}")
    return operation, OPERATIONS[operation].check(parameter, where)


def check_width(value: object, where: str) -> int:
    """Return a positive whole number as an int.

    Raises:
        InvalidArchitecture: If it is anything else.
    """
    if not is_whole(value) or value < 1:
        raise InvalidArchitecture(f"{where} is {value!r}. Give a positive whole number.")
    return int(value)


def _number(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _powers(widths: tuple[int, ...]) -> list[str]:
    runs = [(width, len(list(run))) for width, run in groupby(widths)]
    superscript = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return [f"{w}{str(n).translate(superscript)}" if n > 1 else str(w) for w, n in runs]


def _runs(items) -> str:
    runs = [(item, len(list(run))) for item, run in groupby(items)]
    if len(runs) == 1:
        return f"{runs[0][0]} in all" if runs[0][1] > 1 else runs[0][0]
    return " ".join(f"({item})×{n}" if n > 2 else " ".join([item] * n) for item, n in runs)
