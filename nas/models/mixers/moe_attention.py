"""Attention with experts: each token has its query, key and value from the expert it is given to.

Source: the public code of MiniMoE (Zhang et al., "Lifting the Curse of Capacity Gap in Distilling
Language Models", ACL 2023).
Differs on purpose (our definition): the map that heads share afterwards is the layer's, and has no
experts; what a token takes is multiplied by the probability of its expert; no noise on scores.
"""

from typing import ClassVar

from torch import Tensor, nn

from nas.models.experts import EVENNESS, ExpertMaps, evenness, router_scores, through_experts
from nas.models.mixers.attention import SelfAttention
from nas.models.mixers.base import MIXERS, exporting
from search_spaces.kinds import Kind
from search_spaces.operations import OPERATIONS, HeadGroup
from search_spaces.parts import Part, Setting

EXPERTS = 2


def _parameters(group: HeadGroup, part: Part) -> int:
    experts = dict(part.settings).get("experts", EXPERTS)
    return experts * (3 * group.projection + group.width + 1)


def _flops(group: HeadGroup, part: Part, length: int) -> int:
    experts = dict(part.settings).get("experts", EXPERTS)
    pairs = (3 if group.relative else 2) * length * length * group.inner
    return 2 * (length * group.width * (3 * group.inner + experts) + pairs)


OPERATIONS.register("moe-attention")(
    Kind(
        "moe-attention",
        "attention with experts",
        {"experts": Setting(EXPERTS, least=2, most=64, weight=0.02)},
        parameters=_parameters,
        flops=_flops,
        causal=True,
        refuses={
            "positions": {
                "disentangled": "distances have no expert whose map makes queries and keys of them"
            }
        },
    )
)


class RoutedMap(nn.Module):
    """A linear map that is one of several for each token, and what was decided of the last ones.

    Args:
        read: Features that it reads.
        written: Features that it writes.
        experts: How many maps there are.
    """

    def __init__(self, read: int, written: int, experts: int):
        super().__init__()
        self.router = nn.Linear(read, experts)
        self.maps = ExpertMaps(experts, read, written)
        self.decided: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, length, read)` to `(batch, length, written)`."""
        shares = router_scores(self.router, x).softmax(-1)
        share, chosen = shares.max(-1)
        self.decided = shares, share, chosen
        written = through_experts(
            x.flatten(0, 1), chosen.flatten(), [self.maps], at_once=exporting()
        )
        return written.unflatten(0, x.shape[:2])

    def taken(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return probabilities, the largest and its expert of each token, and forget them."""
        decided, self.decided = self.decided, None
        assert decided is not None
        return decided


@MIXERS.register("moe-attention")
class ExpertAttention(SelfAttention):
    """Scaled dot products whose query, key and value maps a router chooses for each token.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        relative: Whether scores depend on the distance between tokens, too.
        experts: Number of experts.
    """

    axes: ClassVar = {k: v for k, v in SelfAttention.axes.items() if "query" not in k} | {
        "query_key_value.maps.weight": ("experts", "out+key+out", "<width"),
        "query_key_value.maps.bias": ("experts", "out+key+out"),
        "query_key_value.router.weight": ("experts", "<width"),
        "query_key_value.router.bias": ("experts",),
    }
    unpads: ClassVar = False  # how evenly experts are used is a matter of all tokens

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        *,
        relative: bool = False,
        experts: int = EXPERTS,
    ):
        super().__init__(width, heads, head_width, weighted=False, relative=relative)
        self.query_key_value = RoutedMap(width, 3 * heads * head_width, experts)
        self.auxiliary: Tensor | None = None

    def split_values(self, width: int) -> None:
        """Nothing: an expert makes queries, keys and values of one token together."""

    def forward(
        self,
        x: Tensor,
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        mixed = super().forward(x, keep, distances, rows, causal=causal)
        shares, share, chosen = self.query_key_value.taken()
        if self.training:
            real = slice(None) if keep is None else keep
            self.auxiliary = EVENNESS * evenness(
                shares[real].flatten(0, -2), chosen[real].flatten()
            )
        return mixed * share[..., None].to(mixed.dtype)
