"""The feed-forward block of BERT, with any number of inner layers.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023 (stacked feed-forward layers).
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward

SHIFT = 6.0  # GELU(h + 6) - 6 is h up to 2e-8 for every h that a GELU returns


@FEEDFORWARDS.register("mlp")
class MultilayerPerceptron(FeedForward):
    """Linear, GELU, Linear, GELU, ..., Linear back to `width`; no norm inside the stack.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last.
        bias: "none" for linear maps without biases.
        activation: "gelu", or "gelu-tanh" for its approximation by tanh, as in GPT-2.
    """

    def __init__(
        self,
        width: int,
        inner: tuple[int, ...],
        bias: str = "learned",
        activation: str = "gelu",
    ):
        super().__init__(width, inner)
        self.approximate = "tanh" if activation == "gelu-tanh" else "none"
        widths, biased = (width, *self.inner), bias == "learned"
        self.deepens = biased
        self.stack = nn.ModuleList(nn.Linear(a, b, bias=biased) for a, b in pairwise(widths))
        self.output = nn.Linear(self.inner[-1], width, bias=biased)

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        axes = {"output.weight": ("width", "<last"), "output.bias": ("width",)}
        for k in range(len(self.stack)):
            before = f"<inner {k - 1}" if k else "<width"
            axes[f"stack.{k}.weight"] = (f"inner {k}", before)
            axes[f"stack.{k}.bias"] = (f"inner {k}",)
        return axes

    def forward(self, x: Tensor) -> Tensor:
        for linear in self.stack:
            x = F.gelu(linear(x), approximate=self.approximate)
        return self.output(x)

    def pass_on(self, depth: int, matrices: Sequence[Tensor]) -> None:
        """Shift features to where GELU is the identity; what reads them shifts them back."""
        if not self.deepens:
            return
        for k, matrix in enumerate(matrices, depth):
            linear = self.stack[k]
            linear.weight.copy_(matrix)
            linear.bias.fill_(SHIFT)
            if k > depth:
                linear.bias.sub_(linear.weight.sum(1) * SHIFT)
        self.output.bias.sub_(self.output.weight.sum(1) * SHIFT)
