"""Experts merged into one: the weights of several are added up, and the sum is applied once.

Source: He et al., "Merging Experts into One: Improving Computational Efficiency of Mixture of
Experts", EMNLP 2023, and its public code; Shazeer et al., "Outrageously Large Neural Networks",
ICLR 2017 (noisy choice of the largest, even use).
Differs on purpose: experts start apart from each other, at a size at which their mean is as large
as a usual map, instead of as copies of a trained one; gates have a bias, so that depth can be
added; padding is left out of the mean; at the level of a task, whose description an encoder never
sees, our definition is one learned vector a map.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.experts import EVENNESS, ExpertMaps, bank_axes, pass_on_shifted
from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward
from nas.models.feedforwards.mlp import SHIFT
from nas.models.feedforwards.moe import EXPERTS, shared_experts
from nas.models.merged_product import merged_product
from search_spaces.kinds import SLOTS, Kind, LayerShape
from search_spaces.parts import Part, Setting
from search_spaces.standard_kinds import stack_maps

LEAST_NOISE = 0.01
BOTTLENECK = 8  # features inside the block that reads single tokens
LEVELS = ("sequence", "token", "task")
SETTINGS = {
    "experts": Setting(EXPERTS, least=1, most=64, weight=0.02),
    "chosen": Setting(0.75, "line", most=1, weight=0.02),
    "level": Setting(LEVELS[0], "name", LEVELS, weight=0.01),
}


def _settings(part: Part) -> tuple[int, str]:
    given = dict(part.settings)
    return given.get("experts", EXPERTS), given.get("level", LEVELS[0])


def _parameters(shape: LayerShape, part: Part) -> int:
    experts, level = _settings(part)
    maps = list(stack_maps(shape))
    total = experts * sum((a + 1) * b + 2 * a + 1 for a, b in maps)
    if level == "task":
        total += sum(a for a, _ in maps)
    if level == "token":
        total += (shape.width + 1) * BOTTLENECK + (BOTTLENECK + 1) * shape.width
    return total


def _flops(shape: LayerShape, part: Part, length: int) -> int:
    experts, level = _settings(part)
    total = sum(length * a * b + experts * (a + a * b + b) for a, b in stack_maps(shape))
    if level == "token":
        total += 2 * length * shape.width * BOTTLENECK
    return 2 * total


def _kept(shape: LayerShape, part: Part) -> float:
    # the merged maps of a sequence, shared by its tokens: of some 64
    merged = 0 if _settings(part)[1] == "task" else sum(a * b for a, b in stack_maps(shape)) / 64
    return 2 * sum(shape.feedforward) + merged


SLOTS["feedforward"].kinds.register("meo")(
    Kind(
        "meo",
        "experts merged into one",
        SETTINGS,
        parameters=_parameters,
        flops=_flops,
        kept=_kept,
        shared=shared_experts,
        causal=False,  # it reads the mean of a sequence
    )
)


def unevenness(amounts: Tensor) -> Tensor:
    """Squared coefficient of variation of `(experts,)`: 0 where all have the same."""
    return amounts.var(unbiased=False) / (amounts.mean().square() + 1e-10)


class MergedMap(nn.Module):
    """A linear map whose weight is a weighted sum of those of the experts chosen.

    Args:
        experts: Number of experts.
        top: How many of them are chosen.
        read: Features that the map reads.
        written: Features that it writes.
        task: Whether one learned vector chooses for all sequences, instead of their means.
    """

    def __init__(self, experts: int, top: int, read: int, written: int, *, task: bool):
        super().__init__()
        self.top = top
        self.maps = ExpertMaps(experts, read, written, spread=0.02 * top**0.5)
        self.gate = nn.Parameter(torch.zeros(experts, read))
        self.gate_bias = nn.Parameter(torch.zeros(experts))
        self.noise = nn.Parameter(torch.zeros(experts, read))
        self.task = nn.Parameter(torch.randn(read)) if task else None
        self.uneven: Tensor | None = None

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """Map `(batch, length, read)` to `(batch, length, written)`."""
        if self.task is not None:
            gates = self.gates(self.task[None].to(x.dtype))
            weight = (gates @ self.maps.weight.flatten(1)).view(self.maps.weight.shape[1:])
            return F.linear(x, weight, (gates @ self.maps.bias)[0])
        return merged_product(x, keep, self.gates, self.maps.weight, self.maps.bias)

    def gates(self, seen: Tensor) -> Tensor:
        """Return the weight of every expert, `(n, experts)`, from `(n, read)`; they add up to 1."""
        clean = F.linear(seen, self.gate, self.gate_bias)
        scores = clean
        if self.training:
            spread = F.softplus(seen @ self.noise.mT) + LEAST_NOISE
            scores = clean + torch.randn_like(clean) * spread
        largest, chosen = scores.topk(self.top, -1)
        gates = torch.zeros_like(scores).scatter(-1, chosen, largest.softmax(-1).to(scores.dtype))
        if self.training:
            importance = gates.float().sum(0)
            self.uneven = unevenness(importance) + unevenness(self._load(clean, scores, spread))
        return gates

    def _load(self, clean: Tensor, scores: Tensor, spread: Tensor) -> Tensor:
        """How many of the inputs are expected to choose each expert, `(experts,)`."""
        if self.top == scores.shape[-1]:
            return torch.ones_like(scores[0])
        bounds = scores.topk(self.top + 1, -1).values
        inside, outside = bounds[:, self.top :], bounds[:, self.top - 1 : self.top]
        # what another draw of the noise has to exceed, which depends on who is in already
        bound = torch.where(scores > inside, inside, outside)
        return torch.special.ndtr(((clean - bound) / spread).float()).sum(0)


@FEEDFORWARDS.register("meo")
class MergedExperts(FeedForward):
    """A stack of merged maps with GELU between: a dense feed-forward, another one a sequence.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last.
        experts: Number of experts.
        chosen: Share of them that is merged; one at least.
        level: What decides: the mean of a "sequence"; besides that, of each "token" a small map is
            added before; or one learned vector for a whole "task".
    """

    reads = "sequence"

    def __init__(
        self,
        width: int,
        inner: tuple[int, ...],
        experts: int = EXPERTS,
        chosen: float = SETTINGS["chosen"].default,
        level: str = LEVELS[0],
    ):
        super().__init__(width, inner)
        top = max(1, round(chosen * experts))
        widths = (width, *self.inner, width)
        *stack, output = (
            MergedMap(experts, top, a, b, task=level == "task")
            for a, b in zip(widths, widths[1:], strict=False)
        )
        self.stack, self.output = nn.ModuleList(stack), output
        self.down = self.up = self.up_bias = None
        if level == "token":
            self.down = nn.Linear(width, BOTTLENECK)
            self.up = nn.Parameter(torch.zeros(width, BOTTLENECK))
            self.up_bias = nn.Parameter(torch.zeros(width))
        self.auxiliary: Tensor | None = None

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        axes = {}
        for name, words in bank_axes(len(self.inner)).items():
            path, _, tensor = name.rpartition(".")
            axes[f"{path}.maps.{tensor}"] = words
            if tensor == "weight":
                axes[f"{path}.gate_bias"] = ("experts",)
                axes[f"{path}.gate"] = axes[f"{path}.noise"] = ("experts", words[-1])
                axes[f"{path}.task"] = (words[-1].lstrip("<"),)
        few = str(BOTTLENECK)
        axes |= {"down.weight": (few, "<width"), "down.bias": (few,)}
        axes |= {"up": ("width", few), "up_bias": ("width",)}
        own = dict(self.named_parameters())
        return {name: words for name, words in axes.items() if name in own}

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        if self.down is not None:
            x = x + F.linear(F.relu(self.down(x)), self.up, self.up_bias)
        for merged in self.stack:
            x = F.gelu(merged(x, keep))
        x = self.output(x, keep)
        if self.training:
            maps = (*self.stack, self.output)
            self.auxiliary = EVENNESS * torch.stack([merged.uneven for merged in maps]).mean()
            for merged in maps:
                merged.uneven = None
        return x

    def pass_on(self, depth: int, matrices: Sequence[Tensor]) -> None:
        """Shift features to where GELU is the identity; what reads them shifts them back."""
        banks = nn.ModuleList(merged.maps for merged in self.stack)
        pass_on_shifted(banks, self.output.maps, depth, list(matrices), SHIFT)
        if self.output.task is None:  # whose means are shifted, too
            self.output.gate_bias.sub_(self.output.gate.sum(1) * SHIFT)
