"""The token-mixing operations a head may be, by name, with what each costs.

The kinds of the slot `mixer`: dictionaries are validated against them, spaces draw from them and
the size formulas read them. A new mixer is one file in `nas/models/mixers/`, with its `Kind`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from search_spaces.errors import InvalidArchitecture
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Part, Setting, read_kind
from search_spaces.registry import Registry


@dataclass(frozen=True)
class HeadGroup:
    """The heads of one kind in one layer, as the cost formulas see them.

    Attributes:
        width: Width of the hidden states the group reads.
        heads: Number of heads.
        head_width: Width of each head.
        parameter: The operation's parameter, a name or a kernel size.
        relative: True when the model has relative positions.
        rows: Of a table of distances that attention makes queries and keys of; 0 for none.
        values: Width of what its values are read from, where that is something else; 0 for `width`.
    """

    width: int
    heads: int
    head_width: int
    parameter: str | int
    relative: bool
    rows: int = 0
    values: int = 0

    @property
    def inner(self) -> int:
        """Width of the group's output, `heads * head_width`."""
        return self.heads * self.head_width

    @property
    def projection(self) -> int:
        """Parameters of one linear map with bias from the layer's width to `inner`."""
        return (self.width + 1) * self.inner

    @property
    def more_for_values(self) -> int:
        """How much wider than `width` that is which values are read from."""
        return self.values - self.width if self.values else 0


class Operation(Kind):
    """A way of mixing tokens with one parameter, written bare as in "sa_sdp" and "c_5".

    A mixer with other settings, or none, is a `Kind` registered in `OPERATIONS`; it is written
    "longconv(filter=64)".

    Args:
        name: The name in dictionaries, such as "sa".
        title: The name for people.
        choices: Allowed parameters; empty when the parameter is an odd kernel size of 3 or more.
        parameters: Trainable parameters of a group.
        flops: Floating-point operations of a group for one sequence of the given length.
        more: Other attributes of a `Kind`.
    """

    def __init__(
        self,
        name: str,
        title: str,
        choices: tuple[str, ...],
        parameters: Callable[[HeadGroup], int],
        flops: Callable[[HeadGroup, int], int],
        **more: Any,
    ):
        if choices:
            setting = Setting(choices[0], "name", choices)
        else:
            setting = Setting(5, "log", least=3, odd=True)
        super().__init__(
            name,
            title,
            {"parameter": setting},
            parameters=lambda group, part=None: parameters(group),
            flops=lambda group, *given: flops(group, given[-1]),
            bare="parameter",
            **more,
        )


OPERATIONS: Registry[Kind] = SLOTS["mixer"].kinds
PLAIN = ("sa", "l", "c")  # of which every description of a layer has columns of its own


def check_parameter(kind: Kind, parameter: object, where: str) -> str | int:
    """Return the parameter of a mixer as it is kept in a head.

    That of an operation is a name or a kernel size; that of any other mixer the text of its
    settings without parentheses, "" where all are at their default.

    Raises:
        InvalidArchitecture: If the mixer cannot have it.
    """
    if kind.bare is None:
        if not isinstance(parameter, str):
            raise InvalidArchitecture(
                f"{where} is {parameter!r}. The mixer {kind.name!r} ({kind.title}) has the "
                f"settings {', '.join(kind.settings) or 'none'}; write them as one text, such as "
                "'name=value,name=value', or '' for their defaults."
            )
        text = f"{kind.name}({parameter})" if parameter else kind.name
        return write_settings(kind.part(Part.parse(text, where).settings, where))
    setting = kind.settings[kind.bare]
    names = bool(setting.allowed)
    if names and isinstance(parameter, str) and parameter in setting.allowed:
        return parameter
    if (
        not names
        and is_whole(parameter)
        and setting.least <= parameter <= 1_000_000
        and parameter % 2
    ):
        return int(parameter)
    raise InvalidArchitecture(
        f"{where} is {parameter!r}, which operation {kind.name!r} ({kind.title}) does not "
        f"know. Allowed: {_allowed(setting)}."
    )


def write_settings(part: Part) -> str:
    """Return the settings of a part as text without parentheses."""
    return str(part)[len(part.kind) :].strip("()")


def write_kind(operation: str, parameter: str | int) -> str:
    """Return the text of a kind of head: "sa_sdp", "c_5", "longconv(filter=64)"."""
    if OPERATIONS[operation].bare is not None:
        return f"{operation}_{parameter}"
    return f"{operation}({parameter})" if parameter else operation


def kind_title(operation: str, parameter: str | int) -> str:
    """Return the name of a kind of head for people: "self-attention sdp"."""
    return f"{OPERATIONS[operation].title} {parameter}".strip()


def operation_of(kind: str) -> str:
    """Return the operation of a kind of head: "sa" of "sa_sdp"."""
    return read_kind(kind)[0]


@lru_cache(maxsize=1 << 12)
def mixer_part(operation: str, parameter: str | int) -> Part:
    """Return what stands in the mixer slot of a head as a `Part`."""
    kind = OPERATIONS[operation]
    if kind.bare is not None:
        return Part(operation, ((kind.bare, parameter),))
    return Part.parse(f"{operation}({parameter})" if parameter else operation)


def group_parameters(operation: str, group: HeadGroup) -> int:
    """Return the trainable parameters of a group of heads."""
    return OPERATIONS[operation].parameters(group, mixer_part(operation, group.parameter))


def group_flops(operation: str, group: HeadGroup, length: int) -> int:
    """Return the floating-point operations of a group of heads for one sequence."""
    return OPERATIONS[operation].flops(group, mixer_part(operation, group.parameter), length)


def _allowed(setting: Setting) -> str:
    if setting.allowed:
        return " or ".join(repr(choice) for choice in setting.allowed)
    return "an odd whole number of 3 or more (a kernel size, such as 5 or 9)"


def is_whole(value: object) -> bool:
    """Whether `value` is an integer (numpy's count, booleans do not)."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _attention_parameters(group: HeadGroup) -> int:
    weighted = group.heads * group.head_width**2 if group.parameter == "wma" else 0
    return 3 * group.projection + group.more_for_values * group.inner + weighted


def _attention_flops(group: HeadGroup, length: int) -> int:
    pair = 2 * length * length * group.inner
    weighted = 2 * length * group.inner * group.head_width if group.parameter == "wma" else 0
    relative = pair if group.relative else 0
    maps = 3 * _linear(group, length) + 2 * length * group.more_for_values * group.inner
    return maps + 2 * pair + weighted + relative + rows_flops(group, length)


def rows_flops(group: HeadGroup, length: int) -> int:
    """Queries and keys of a table of distances, and their products with all tokens."""
    return 4 * group.rows * group.inner * (group.width + length)


def _transform_parameters(group: HeadGroup) -> int:
    return (2 if group.relative else 1) * group.projection


def _transform_flops(group: HeadGroup, length: int) -> int:
    # the customary 5 N log2 N of a fast transform over the N numbers of one head
    points = length * group.head_width
    transform = round(5 * points * math.log2(points)) if points > 1 else 0
    positions = _linear(group, length) + _positions(group, length) if group.relative else 0
    return _linear(group, length) + group.heads * transform + positions


def _convolution_parameters(group: HeadGroup) -> int:
    kernels = group.heads * group.parameter
    depthwise = group.width * group.parameter
    return 3 * group.projection + depthwise + (group.inner + 1) * kernels


def _convolution_flops(group: HeadGroup, length: int) -> int:
    depthwise = 2 * length * group.width * group.parameter
    kernels = 2 * length * group.inner * group.heads * group.parameter
    window = 2 * length * group.inner * group.parameter
    positions = _positions(group, length) if group.relative else 0
    return (
        3 * _linear(group, length) + depthwise + kernels + window + length * group.inner + positions
    )


def _linear(group: HeadGroup, length: int) -> int:
    return 2 * length * group.width * group.inner


def _positions(group: HeadGroup, length: int) -> int:
    # scores q.r and their weighted sum of the values
    return 4 * length * length * group.inner


for _operation in (
    Operation(
        "sa",
        "self-attention",
        ("sdp", "wma"),
        _attention_parameters,
        _attention_flops,
        attends=True,
        splits=True,
        causal=True,
    ),
    Operation("l", "linear transform", ("dft", "dct"), _transform_parameters, _transform_flops),
    Operation("c", "dynamic convolution", (), _convolution_parameters, _convolution_flops),
):
    OPERATIONS.register(_operation.name)(_operation)
