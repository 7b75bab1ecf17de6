"""The norm before each block, so that hidden states run through the encoder as a sum.

Source: Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020; Warner
et al., "Smarter, Better, Faster, Longer" (ModernBERT), ACL 2025 (no norm before the first mixers,
which read what the norm of the embeddings gave).
"""

from typing import ClassVar

from torch import Tensor, nn

from nas.models.residuals.base import RESIDUALS, Residual
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Part, Setting


def _both(part: Part) -> bool:
    return dict(part.settings).get("norms", "both") == "both"


def _shared(a: Part, b: Part) -> Part | None:
    """The norms of a layer are inherited wherever they stand."""
    if not {a.kind, b.kind} <= {"pre", "post"}:
        return None
    return Part("pre") if _both(a) and _both(b) else Part.of("pre", {"norms": "feedforward"})


SLOTS["residual"].kinds.register("pre")(
    Kind(
        "pre",
        "norm before each block, and one after the last layer",
        {"norms": Setting("both", "name", ("both", "feedforward"), weight=0.005)},
        parameters=lambda shape, part: (shape.sums - (not _both(part)) + shape.last) * shape.norm,
        shared=_shared,
    )
)


@RESIDUALS.register("pre")
class PreNorm(Residual):
    """`x + block(norm(x))`.

    Args:
        width: Width of the hidden states.
        norms: "both", or "feedforward" for mixers that read hidden states as they are.
    """

    normed: ClassVar = False

    def __init__(self, width: int, norms: str = "both"):
        super().__init__(width)
        self.mixers_normed = norms == "both"

    def before(self, x: Tensor, norm: nn.Module) -> Tensor:
        return norm(x)

    def after(self, x: Tensor, y: Tensor, norm: nn.Module) -> Tensor:
        return x + y
