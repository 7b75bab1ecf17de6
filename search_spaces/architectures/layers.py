"""What an architecture is made of: heads, and the layers they form with feed-forward stacks."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from search_spaces.errors import InvalidArchitecture, UnknownName
from search_spaces.operations import OPERATIONS, is_whole

PER_LAYER, PER_HEAD = "per-layer", "per-head"  # the two published dictionary formats


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
