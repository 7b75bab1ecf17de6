"""Gated linear units: half of what an inner map writes decides how much of the other passes.

Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", ICML 2017; Shazeer,
"GLU Variants Improve Transformer", 2020 (GEGLU and SwiGLU).
Differs on purpose: any number of gated maps one after the other, as stacks of linear maps have
them; with biases, so that depth can be added without changing what is computed.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward
from search_spaces.kinds import SLOTS, Kind, LayerShape
from search_spaces.parts import Part, Setting

# activation -> function, and the number at which it is 1
ACTIVATIONS = {"gelu": (F.gelu, 1.1444507183528787), "silu": (F.silu, 1.2784645427610737)}


def _biased(part: Part) -> bool:
    return dict(part.settings).get("bias", "learned") == "learned"


def _shared(a: Part, b: Part) -> Part | None:
    if a.kind != b.kind:
        return None
    return Part("glu") if _biased(a) and _biased(b) else Part.of("glu", {"bias": "none"})


def _maps(shape: LayerShape) -> Iterator[tuple[int, int]]:
    """Yield what every linear map reads and writes; gated ones write twice as much."""
    for a, b in pairwise((shape.width, *shape.feedforward)):
        yield a, 2 * b
    yield shape.feedforward[-1], shape.width


SLOTS["feedforward"].kinds.register("glu")(
    Kind(
        "glu",
        "gated linear units",
        {
            "activation": Setting("gelu", "name", tuple(ACTIVATIONS), weight=0.01),
            "bias": Setting("learned", "name", ("learned", "none"), weight=0.005),
        },
        parameters=lambda shape, part: sum((a + _biased(part)) * b for a, b in _maps(shape)),
        flops=lambda shape, part, length: 2 * length * sum(a * b for a, b in _maps(shape)),
        kept=lambda shape, part: 4 * sum(shape.feedforward),
        shared=_shared,
    )
)


@FEEDFORWARDS.register("glu")
class GatedLinearUnits(FeedForward):
    """`output(activation(a) * b)`, where one linear map writes `[a; b]`; any number of such maps.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last; each map writes twice as much.
        activation: A name in `ACTIVATIONS`.
        bias: "none" for linear maps without biases.
    """

    def __init__(
        self, width: int, inner: tuple[int, ...], activation: str = "gelu", bias: str = "learned"
    ):
        super().__init__(width, inner)
        self.activation, biased = activation, bias == "learned"
        self.deepens = biased
        widths = (width, *self.inner)
        self.gated = nn.ModuleList(nn.Linear(a, 2 * b, bias=biased) for a, b in pairwise(widths))
        self.output = nn.Linear(self.inner[-1], width, bias=biased)

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        axes = {"output.weight": ("width", "<last"), "output.bias": ("width",)}
        for k in range(len(self.gated)):
            before = f"<inner {k - 1}" if k else "<width"
            axes[f"gated.{k}.weight"] = (f"inner {k}+inner {k}", before)
            axes[f"gated.{k}.bias"] = (f"inner {k}+inner {k}",)
        return axes

    def forward(self, x: Tensor) -> Tensor:
        activation = ACTIVATIONS[self.activation][0]
        for linear in self.gated:
            gate, value = linear(x).chunk(2, -1)
            x = activation(gate) * value
        return self.output(x)

    def pass_on(self, depth: int, matrices: Sequence[Tensor]) -> None:
        """Open the gates: their activation is 1 whatever they read."""
        if not self.deepens:
            return
        one = ACTIVATIONS[self.activation][1]
        for linear, matrix in zip(self.gated[depth:], matrices, strict=True):
            linear.weight.copy_(torch.cat([torch.zeros_like(matrix), matrix]))
            linear.bias.zero_()
            linear.bias[: len(matrix)] = one
