"""The feed-forward block with ReLU in place of GELU: no exponential, nothing below zero.

Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017; Sun et al., "MobileBERT: a
Compact Task-Agnostic BERT for Resource-Limited Devices", ACL 2020 (for its speed on phones).
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from nas.models.feedforwards.base import FEEDFORWARDS
from nas.models.feedforwards.mlp import MultilayerPerceptron
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Part
from search_spaces.standard_kinds import stack_maps

SLOTS["feedforward"].kinds.register("relu")(
    Kind(
        "relu",
        "linear maps with ReLU between",
        parameters=lambda shape, part: sum((a + 1) * b for a, b in stack_maps(shape)),
        flops=lambda shape, part, length: 2 * length * sum(a * b for a, b in stack_maps(shape)),
        kept=lambda shape, part: 2 * sum(shape.feedforward),
        weight=0.01,
        # the tensors of the one with GELU
        shared=lambda a, b: (
            Part.of("mlp", [*a.settings, *b.settings])
            if {a.kind, b.kind} <= {"relu", "mlp"}
            else None
        ),
    )
)


@FEEDFORWARDS.register("relu")
class RectifiedPerceptron(MultilayerPerceptron):
    """Linear, ReLU, Linear, ReLU, ..., Linear back to `width`.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last.
    """

    def __init__(self, width: int, inner: tuple[int, ...]):
        super().__init__(width, inner)

    def forward(self, x: Tensor) -> Tensor:
        for linear in self.stack:
            x = F.relu(linear(x))
        return self.output(x)

    def pass_on(self, depth: int, matrices: Sequence[Tensor]) -> None:
        """Nothing stands in the way: what ReLU returned it returns again."""
        for k, matrix in enumerate(matrices, depth):
            self.stack[k].weight.copy_(matrix)
            self.stack[k].bias.zero_()
