"""The token-mixing operations a head may be, by name, with what each costs.

This is the single list: dictionaries are validated against it, spaces draw from it and the size
formulas read it. A new operation is one more entry here and one module in `nas.models`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from search_spaces.errors import InvalidArchitecture
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
    """

    width: int
    heads: int
    head_width: int
    parameter: str | int
    relative: bool

    @property
    def inner(self) -> int:
        """Width of the group's output, `heads * head_width`."""
        return self.heads * self.head_width

    @property
    def projection(self) -> int:
        """Parameters of one linear map with bias from the layer's width to `inner`."""
        return (self.width + 1) * self.inner


@dataclass(frozen=True)
class Operation:
    """One way of mixing tokens.

    Attributes:
        name: The name in dictionaries, such as "sa".
        title: The name for people.
        choices: Allowed parameters; empty when the parameter is an odd kernel size of 3 or more.
        parameters: Trainable parameters of a group.
        flops: Floating-point operations of a group for one sequence of the given length.
    """

    name: str
    title: str
    choices: tuple[str, ...]
    parameters: Callable[[HeadGroup], int]
    flops: Callable[[HeadGroup, int], int]

    @property
    def allowed(self) -> str:
        """The allowed parameters in words."""
        if self.choices:
            return " or ".join(repr(choice) for choice in self.choices)
        return "an odd whole number of 3 or more (a kernel size, such as 5 or 9)"

    def check(self, parameter: object, where: str) -> str | int:
        """Return `parameter` as a plain value.

        Args:
            parameter: What was given.
            where: The place in the input, which starts the message.

        Raises:
            InvalidArchitecture: If this operation cannot have this parameter.
        """
        if self.choices and isinstance(parameter, str) and parameter in self.choices:
            return parameter
        if not self.choices and is_whole(parameter) and parameter >= 3 and parameter % 2:
            return int(parameter)
        raise InvalidArchitecture(
            f"{where} is {parameter!r}, which operation {self.name!r} ({self.title}) does not "
            f"know. Allowed: {self.allowed}."
        )


def is_whole(value: object) -> bool:
    """Whether `value` is an integer (numpy's count, booleans do not)."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


OPERATIONS: Registry[Operation] = Registry("operation", "nas.operations")


def _attention_parameters(group: HeadGroup) -> int:
    weighted = group.heads * group.head_width**2 if group.parameter == "wma" else 0
    return 3 * group.projection + weighted


def _attention_flops(group: HeadGroup, length: int) -> int:
    pair = 2 * length * length * group.inner
    weighted = 2 * length * group.inner * group.head_width if group.parameter == "wma" else 0
    relative = pair if group.relative else 0
    return 3 * _linear(group, length) + 2 * pair + weighted + relative


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
    Operation("sa", "self-attention", ("sdp", "wma"), _attention_parameters, _attention_flops),
    Operation("l", "linear transform", ("dft", "dct"), _transform_parameters, _transform_flops),
    Operation("c", "dynamic convolution", (), _convolution_parameters, _convolution_flops),
):
    OPERATIONS.register(_operation.name)(_operation)
