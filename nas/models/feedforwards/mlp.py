"""The feed-forward block of BERT, with any number of inner layers.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023 (stacked feed-forward layers).
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward


@FEEDFORWARDS.register("mlp")
class MultilayerPerceptron(FeedForward):
    """Linear, GELU, Linear, GELU, ..., Linear back to `width`; no norm inside the stack."""

    def __init__(self, width: int, inner: tuple[int, ...]):
        super().__init__(width, inner)
        widths = (width, *self.inner)
        self.stack = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(self.inner[-1], width)

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
            x = F.gelu(linear(x))
        return self.output(x)
