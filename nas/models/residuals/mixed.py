"""A learned mix of what all earlier layers wrote, as what a layer reads.

A layer reads the sum of the embeddings and of every earlier layer's hidden states, each times a
number that is learned; inside, residual sums and norms are as without it. At the start the last
number is 1 and the others are 0, so that the encoder starts as one without it.

Source: Charpentier and Samuel, "Not all layers are equally as important: Every Layer Counts BERT",
BabyLM 2023, and "GPT or BERT: why not both?", BabyLM 2024.
Differs on purpose (our definition): numbers are free, no softmax of others; a whole layer reads one
mix, heads and feed-forward alike; initial weights are not scaled by depth; where the width changes,
earlier hidden states pass the same projection as the last.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.models.residuals.base import RESIDUALS, Residual
from nas.models.residuals.post import PostNorm
from nas.models.residuals.pre import PreNorm
from search_spaces.kinds import SLOTS, Kind, LayerShape
from search_spaces.parts import Part, Setting

PLACES = {"post": PostNorm, "pre": PreNorm}


def _place(part: Part) -> str:
    return dict(part.settings).get("norm", "post")


def _parameters(shape: LayerShape, part: Part) -> int:
    norms = shape.sums + (shape.last and _place(part) == "pre")
    return norms * shape.norm + (shape.states if shape.states > 1 else 0)


def _shared(a: Part, b: Part) -> Part | None:
    """The norms of a layer are inherited wherever they stand; numbers by who has them, too."""
    if a.kind == b.kind:
        return a if a == b else Part("mixed")
    mixed, other = (a, b) if a.kind == "mixed" else (b, a)
    if other.kind not in PLACES or mixed.kind != "mixed":
        return None
    return other


SLOTS["residual"].kinds.register("mixed")(
    Kind(
        "mixed",
        "a learned mix of all earlier layers",
        {"norm": Setting("post", "name", tuple(PLACES), weight=0.02)},
        parameters=_parameters,
        shared=_shared,
        looks_back=True,
        refuses={
            "finetuning": {
                "meft": "of what earlier layers wrote nothing is kept but the last two streams"
            }
        },
    )
)


@RESIDUALS.register("mixed")
class MixedResidual(Residual):
    """Norms as those of another residual connection, around a block that reads a mix.

    Args:
        width: Width of the hidden states.
        norm: "post" or "pre", where norms stand.
    """

    axes: ClassVar = {"shares": ("<states",)}
    looks_back: ClassVar = True

    def __init__(self, width: int, norm: str = "post"):
        super().__init__(width)
        self.placed = PLACES[norm](width)
        self.normed = self.placed.normed
        self.shares: nn.Parameter | None = None

    def look_back(self, states: int) -> None:
        if states > 1:  # of one alone there is nothing to mix
            self.shares = nn.Parameter(torch.eye(states)[-1].clone())

    def mix(self, states: list[Tensor]) -> Tensor:
        if self.shares is None:
            return states[-1]
        mixed = self.shares[-1] * states[-1]
        for share, state in zip(self.shares[:-1], states[:-1], strict=True):
            mixed = mixed + share * state
        return mixed

    def before(self, x: Tensor, norm: nn.Module) -> Tensor:
        return self.placed.before(x, norm)

    def after(self, x: Tensor, y: Tensor, norm: nn.Module) -> Tensor:
        return self.placed.after(x, y, norm)
