"""Gated linear units whose maps are block-diagonal: the feed-forward of M2-BERT.

Source: Fu et al., "Monarch Mixer: A Simple Sub-Quadratic GEMM-Based Architecture", NeurIPS 2023.
Differs on purpose: feature i belongs to block i modulo their number (`nas.models.feedforwards
.grouped` has the reason), the same up to the order of features. Further inner maps are our
definition: values read their own block, gates the one half the blocks further.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor, nn

from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward
from nas.models.feedforwards.glu import ACTIVATIONS
from nas.models.feedforwards.grouped import group_sizes, interleave
from search_spaces.kinds import SLOTS, Kind, LayerShape
from search_spaces.parts import Part, Setting

BLOCKS = 4
SETTINGS = {
    "blocks": Setting(BLOCKS, allowed=(1, 2, 4, 8), weight=0.02),
    "activation": Setting("gelu", "name", tuple(ACTIVATIONS), weight=0.01),
}


def block_sources(block: int, blocks: int, *, first: bool) -> tuple[int, int]:
    """Return the blocks that gate and value of a block read.

    In the first map all gates come from the first half of the blocks and all values from the
    second, so that what a block writes depends on two.
    """
    half = blocks // 2
    if first:
        return block // 2, half + block // 2
    return (block + half) % blocks, block


def _maps(shape: LayerShape, part: Part) -> Iterator[tuple[int, int]]:
    """Yield what every linear map of every block reads and writes."""
    blocks = dict(part.settings).get("blocks", BLOCKS)
    for k, (a, b) in enumerate(pairwise((shape.width, *shape.feedforward))):
        read, written = group_sizes(a, blocks), group_sizes(b, blocks)
        for block in range(blocks):
            for source in block_sources(block, blocks, first=k == 0):
                yield read[source], written[block]
    ends = (shape.feedforward[-1], shape.width)
    yield from zip(*(group_sizes(n, blocks) for n in ends), strict=True)


SLOTS["feedforward"].kinds.register("monarch-glu")(
    Kind(
        "monarch-glu",
        "block-diagonal gated linear units",
        SETTINGS,
        parameters=lambda shape, part: sum((a + 1) * b for a, b in _maps(shape, part)),
        flops=lambda shape, part, length: 2 * length * sum(a * b for a, b in _maps(shape, part)),
        kept=lambda shape, part: 4 * sum(shape.feedforward),
        shared=lambda a, b: a if a == b else None,
    )
)


@FEEDFORWARDS.register("monarch-glu")
class MonarchGatedUnits(FeedForward):
    """`output(activation(gate) * value)`, each of the three maps block-diagonal.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last.
        blocks: Blocks of each map.
        activation: A name in `ACTIVATIONS`.
    """

    def __init__(
        self, width: int, inner: tuple[int, ...], blocks: int = BLOCKS, activation: str = "gelu"
    ):
        super().__init__(width, inner)
        self.blocks, self.activation = blocks, activation
        sizes = [group_sizes(n, blocks) for n in (width, *self.inner)]
        gates, values = [], []
        for k, (read, written) in enumerate(pairwise(sizes)):
            both = [block_sources(g, blocks, first=k == 0) for g in range(blocks)]
            pairs = list(zip(both, written, strict=True))
            gates.append(nn.ModuleList(nn.Linear(read[gate], n) for (gate, _), n in pairs))
            values.append(nn.ModuleList(nn.Linear(read[value], n) for (_, value), n in pairs))
        self.gate, self.value = nn.ModuleList(gates), nn.ModuleList(values)
        self.output = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(sizes[-1], sizes[0], strict=True)
        )

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        axes = {}
        for g in range(self.blocks):
            own = f"[{g}::{self.blocks}]"
            axes[f"output.{g}.weight"] = (f"width{own}", f"<last{own}")
            axes[f"output.{g}.bias"] = (f"width{own}",)
            for k in range(len(self.inner)):
                before = f"<inner {k - 1}" if k else "<width"
                sources = block_sources(g, self.blocks, first=k == 0)
                for name, source in zip(("gate", "value"), sources, strict=True):
                    read = f"{before}[{source}::{self.blocks}]"
                    axes[f"{name}.{k}.{g}.weight"] = (f"inner {k}{own}", read)
                    axes[f"{name}.{k}.{g}.bias"] = (f"inner {k}{own}",)
        return axes

    def forward(self, x: Tensor) -> Tensor:
        activation = ACTIVATIONS[self.activation][0]
        parts = [x[..., g :: self.blocks] for g in range(self.blocks)]
        for k in range(len(self.inner)):
            sources = [block_sources(g, self.blocks, first=k == 0) for g in range(self.blocks)]
            parts = [
                activation(self.gate[k][g](parts[gate])) * self.value[k][g](parts[value])
                for g, (gate, value) in enumerate(sources)
            ]
        written = [linear(part) for linear, part in zip(self.output, parts, strict=True)]
        return interleave(written, self.width)

    def pass_on(self, depth: int, matrices: Sequence[Tensor]) -> None:
        """Open the gates: their activation is 1 whatever they read."""
        one = ACTIVATIONS[self.activation][1]
        for k, matrix in enumerate(matrices, depth):
            for g in range(self.blocks):
                self.gate[k][g].weight.zero_()
                self.gate[k][g].bias.fill_(one)
                self.value[k][g].weight.copy_(matrix[g :: self.blocks, g :: self.blocks])
                self.value[k][g].bias.zero_()
