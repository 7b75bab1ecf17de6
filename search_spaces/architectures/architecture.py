"""The immutable architecture: a sequence of layers with a hash, a graph and a dictionary."""

from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any

from search_spaces.architectures.dictionaries import read_dictionary, write_dictionary
from search_spaces.architectures.graph import architecture_graph
from search_spaces.architectures.layers import PER_HEAD, PER_LAYER, Layer
from search_spaces.errors import InvalidArchitecture, UnknownName

if TYPE_CHECKING:
    import networkx


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
        """Read either published dictionary format; see `search_spaces.architectures.dictionaries`.

        Raises:
            InvalidArchitecture: If the dictionary describes no encoder.
        """
        return cls(*read_dictionary(dictionary))

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary in the format this architecture came from; JSON types only."""
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


def _powers(widths: tuple[int, ...]) -> list[str]:
    runs = [(width, len(list(run))) for width, run in groupby(widths)]
    superscript = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return [f"{w}{str(n).translate(superscript)}" if n > 1 else str(w) for w, n in runs]


def _runs(items) -> str:
    runs = [(item, len(list(run))) for item, run in groupby(items)]
    if len(runs) == 1:
        return f"{runs[0][0]} in all" if runs[0][1] > 1 else runs[0][0]
    return " ".join(f"({item})×{n}" if n > 2 else " ".join([item] * n) for item, n in runs)
