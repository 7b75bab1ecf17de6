"""A mixture of small experts: each token goes through the one that a router gives it to.

Source: the public code of MiniMoE (Zhang et al., "Lifting the Curse of Capacity Gap in Distilling
Language Models", ACL 2023); Fedus, Zoph, Shazeer, "Switch Transformers", JMLR 2022 (one expert a
token, even use).
Differs on purpose: noise is added to the router's scores and bounded, as MiniMoE does, where its
comment speaks of factors; padding counts for nothing in how evenly experts are used.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nas.models.experts import (
    EVENNESS,
    ExpertMaps,
    bank_axes,
    evenness,
    pass_on_shifted,
    router_scores,
    through_experts,
)
from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward
from nas.models.feedforwards.mlp import SHIFT
from nas.models.mixers.base import exporting
from search_spaces.kinds import SLOTS, Kind, LayerShape
from search_spaces.parts import Part, Setting
from search_spaces.standard_kinds import stack_maps

EXPERTS = 4
JITTER = 0.01  # largest number added to a router's score in training
ALIKE = 2 / 3  # share of the neurons that all experts have in common at the start


def _parameters(shape: LayerShape, part: Part) -> int:
    experts = dict(part.settings).get("experts", EXPERTS)
    return experts * (shape.width + 1 + sum((a + 1) * b for a, b in stack_maps(shape)))


def _flops(shape: LayerShape, part: Part, length: int) -> int:
    experts = dict(part.settings).get("experts", EXPERTS)
    return 2 * length * (experts * shape.width + sum(a * b for a, b in stack_maps(shape)))


def shared_experts(a: Part, b: Part) -> Part | None:
    """Return the block of as many experts as both have, where all else is the same."""
    rest = [dict(part.settings) for part in (a, b)]
    experts = min(settings.pop("experts", EXPERTS) for settings in rest)
    if a.kind != b.kind or rest[0] != rest[1]:
        return None
    return Part.of(a.kind, rest[0] | ({} if experts == EXPERTS else {"experts": experts}))


SLOTS["feedforward"].kinds.register("moe")(
    Kind(
        "moe",
        "mixture of experts",
        {"experts": Setting(EXPERTS, least=1, most=64, weight=0.02)},
        parameters=_parameters,
        flops=_flops,
        kept=lambda shape, part: 2 * sum(shape.feedforward) + 2 * shape.width,
        shared=shared_experts,
    )
)


@FEEDFORWARDS.register("moe")
class MixtureOfExperts(FeedForward):
    """`p_e * expert_e(token)` for the expert e with the largest probability p_e.

    Every expert is a whole stack of linear maps with GELU between, so a token costs what it costs
    in the usual feed-forward and its router.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers of each expert, first to last.
        experts: Number of experts.
    """

    reads = "tokens"

    def __init__(self, width: int, inner: tuple[int, ...], experts: int = EXPERTS):
        super().__init__(width, inner)
        self.experts = experts
        self.router = nn.Linear(width, experts)
        widths = (width, *self.inner)
        self.stack = nn.ModuleList(
            ExpertMaps(experts, a, b) for a, b in zip(widths, self.inner, strict=False)
        )
        self.output = ExpertMaps(experts, self.inner[-1], width)
        with torch.no_grad():
            for maps, n in zip(self.stack, self.inner, strict=True):
                alike = round(ALIKE * n)
                maps.weight[:, :alike] = maps.weight[:1, :alike].clone()
            alike = round(ALIKE * self.inner[-1])
            self.output.weight[:, :, :alike] = self.output.weight[:1, :, :alike].clone()
        self.auxiliary: Tensor | None = None

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        router = {"router.weight": ("experts", "<width"), "router.bias": ("experts",)}
        return router | bank_axes(len(self.inner))

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        tokens = x.flatten(0, -2)
        scores = router_scores(self.router, tokens)
        if self.training:
            scores = scores + (2 * torch.rand_like(scores) - 1) * JITTER
        shares = scores.softmax(-1)
        share, chosen = shares.max(-1)
        if self.training:
            real = slice(None) if keep is None else keep.flatten()
            self.auxiliary = EVENNESS * evenness(shares[real], chosen[real])
        banks = (*self.stack, self.output)
        fed = through_experts(tokens, chosen, banks, at_once=exporting())
        return (fed * share[:, None].to(fed.dtype)).unflatten(0, x.shape[:-1])

    def pass_on(self, depth: int, matrices: Sequence[Tensor]) -> None:
        """Shift features to where GELU is the identity; what reads them shifts them back."""
        pass_on_shifted(self.stack, self.output, depth, list(matrices), SHIFT)
