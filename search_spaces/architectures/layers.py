"""What an architecture is made of: heads, and the layers they form with feed-forward stacks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache

from search_spaces.errors import InvalidArchitecture, UnknownName
from search_spaces.kinds import INSTALL, LAYER_SLOTS, SLOTS, LayerShape, LayerWidths, layer_widths
from search_spaces.operations import (
    OPERATIONS,
    check_parameter,
    is_whole,
    read_kind,
    write_kind,
)
from search_spaces.parts import Part

PER_LAYER, PER_HEAD = "per-layer", "per-head"  # the two published dictionary formats

# Far above what anybody trains; an encoder is built, counted and drawn head by head.
LARGEST_WIDTH, MOST_HEADS = 10**9 - 1, 4096
MOST_LAYERS, MOST_MAPS = 256, 64


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

    @cached_property
    def kind(self) -> str:
        """Operation and parameter, such as "sa_sdp", "c_5" or "longconv(filter=64)"."""
        return write_kind(self.operation, self.parameter)

    def __str__(self) -> str:
        return f"{self.kind}_{self.width}"

    @classmethod
    def parse(cls, text: object, where: str = "the head") -> "Head":
        """Read a head written as in the per-head dictionaries, such as "sa_sdp_64".

        Raises:
            InvalidArchitecture: If it is not `operation_parameter_width` with values that exist.
        """
        kind, _, width = text.rpartition("_") if isinstance(text, str) else ("", "", "")
        operation, parameter = read_kind(kind)
        if (
            not operation
            or not width.isdecimal()
            or len(width) > 9
            or not 1 <= int(width) <= LARGEST_WIDTH
        ):
            raise _no_head(text, where)
        bare = "(" not in kind and kind.count("_") != 1
        if bare and (kind.count("_") or operation not in OPERATIONS or OPERATIONS[operation].bare):
            raise _no_head(text, where)
        return shared_head(*check_kind(operation, parameter, where), int(width))


@lru_cache(maxsize=1 << 12)
def shared_head(operation: str, parameter: str | int, width: int) -> Head:
    """Return one object for all equal heads, so that what it remembers is found out once."""
    return Head(operation, parameter, width)


@dataclass(frozen=True)
class Layer:
    """One encoder layer: heads side by side, then a stack of feed-forward maps.

    Attributes:
        width: Width of the hidden states the layer reads and writes.
        heads: The heads in the order they were given, which has no meaning; all of one width.
        feedforward: Widths of the hidden feed-forward maps, first to last.
        parts: What stands in the layer's slots where it is not the default: slot and part, in the
            order of the slots. A mapping from slot to part or text is taken too.
    """

    width: int
    heads: tuple[Head, ...]
    feedforward: tuple[int, ...]
    parts: tuple[tuple[str, Part], ...] = ()

    def __post_init__(self) -> None:
        # compared with (), because an empty mapping must not stay one: it cannot be hashed
        if self.parts != ():
            object.__setattr__(self, "parts", checked_parts(self.parts, LAYER_SLOTS, "A layer"))
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

    def part(self, slot: str) -> Part:
        """Return what stands in one of the layer's slots."""
        for name, part in self.parts:
            if name == slot:
                return part
        return SLOTS[slot].default_part

    def shape(
        self,
        norm: int = 0,
        inner_norm: int | None = None,
        *,
        last: bool = False,
        states: int = 1,
        rows: int = 0,
    ) -> LayerShape:
        """Return the layer as the kinds of its slots count it.

        Args:
            norm: Parameters of one norm over the layer's width.
            inner_norm: The same over what its feed-forwards map; None for `norm`.
            last: Whether no layer follows.
            states: Hidden states there are when it begins.
            rows: Rows of a table of distances that its heads read.
        """
        return LayerShape(
            self.width,
            self.inner_width,
            self.head_width,
            self.feedforward,
            norm,
            last,
            norm if inner_norm is None else inner_norm,
            self.widths.sums,
            states,
            rows,
        )

    @cached_property
    def widths(self) -> LayerWidths:
        """How wide what stands in the layer is, as its block has it."""
        return layer_widths(self.width, self.part("block"))

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

    @cached_property
    def groups(self) -> tuple[tuple[Head, int], ...]:
        """Each distinct head with how often it occurs, in sorted order of kind."""
        counted = Counter(self.heads)
        return tuple(sorted(counted.items(), key=lambda item: item[0].kind))

    @cached_property
    def canonical(self) -> str:
        """One line of text that is equal exactly for equal layers, whatever the order of heads."""
        heads = ",".join([f"{head}*{n}" for head, n in sorted(Counter(self.heads).items())])
        stack = ">".join(map(str, self.feedforward))
        parts = "".join([f";{slot}={part}" for slot, part in self.parts]) if self.parts else ""
        return f"{self.width}[{heads}]{stack}{parts}"

    @cached_property
    def uniform(self) -> bool:
        """Whether all heads are of one kind and together exactly as wide as the layer."""
        return len(set(self.heads)) == 1 and self.inner_width == self.width


def checked_parts(
    given: Mapping[str, object] | Iterable[tuple[str, object]],
    slots: tuple[str, ...],
    where: str,
    *,
    keep_default: bool = False,
) -> tuple[tuple[str, Part], ...]:
    """Return slots with their parts, in the order of the slots, what is usual there left out.

    Args:
        given: Slot to part, or to its text.
        slots: The slots there are.
        where: What has the slots; starts the message.
        keep_default: Whether a part that is the default stays.

    Raises:
        InvalidArchitecture: If there is no such slot, kind, setting or value.
    """
    chosen: dict[str, Part] = {}
    for slot, value in dict(given).items():
        if slot not in slots:
            close = get_close_matches(str(slot), slots, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InvalidArchitecture(
                f"{where} has the part {slot!r}, which is no slot of it.{hint} Its slots: "
                f"{', '.join(slots)}."
            )
        chosen[slot] = SLOTS[slot].read(value, f"{where}: {slot}")
    return tuple(
        (slot, chosen[slot])
        for slot in slots
        if slot in chosen and (keep_default or not SLOTS[slot].is_default(chosen[slot]))
    )


def check_kind(operation: object, parameter: object, where: str) -> tuple[str, str | int]:
    """Return a valid pair of operation and parameter.

    Raises:
        InvalidArchitecture: If there is no such operation, or it has no such parameter.
    """
    if not isinstance(operation, str) or operation not in OPERATIONS:
        unknown = UnknownName("operation", operation, OPERATIONS)
        raise InvalidArchitecture(f"{where}: {unknown} {INSTALL}")
    return operation, check_parameter(OPERATIONS[operation], parameter, where)


def check_width(value: object, where: str, most: int = LARGEST_WIDTH) -> int:
    """Return a positive whole number of at most `most` as an int.

    Raises:
        InvalidArchitecture: If it is anything else.
    """
    if not is_whole(value) or value < 1:
        raise InvalidArchitecture(f"{where} is {value!r}. Give a positive whole number.")
    if value > most:
        shown = f"{value}" if value < 10**30 else "a number of more than 30 digits"
        raise InvalidArchitecture(f"{where} is {shown}. Give at most {most:,}.")
    return int(value)


def _no_head(text: object, where: str) -> InvalidArchitecture:
    return InvalidArchitecture(
        f"{where} is {text!r}. A head is written operation_parameter_width with a positive "
        "width, such as 'sa_sdp_64', 'l_dct_64' or 'c_5_64'."
    )
