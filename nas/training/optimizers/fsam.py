"""SAM whose perturbation keeps to the weights that matter most: Fisher-masked.

Source: Zhong et al., "Improving Sharpness-Aware Minimization with Fisher Mask for Better
Generalization on Language Models", Findings of EMNLP 2022. The Fisher information's diagonal is
estimated by the squared gradient of the batch at hand, as the released training code does.
Differs on purpose: the mask is one over all parameters; the released code leaves biases and
embeddings outside of it, which perturbs them in full; nothing is renormalised after masking, as
published.
"""

from collections.abc import Iterable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from nas.training.optimizers.base import Parameters, optimizer_kind
from nas.training.optimizers.sam import BASE, RADIUS, SharpnessAware, base_keeps, based
from search_spaces.kinds import Kind
from search_spaces.parts import Setting

_MASK, _TURN = "fsam_mask", "fsam_turn"


class FisherSharpnessAware(SharpnessAware):
    """Perturbs only the share of the weights with the largest Fisher information.

    Args:
        base: Moves the weights.
        radius: How far uphill the whole gradient would go.
        keep: Share of the weights that are perturbed.
        refresh: Steps between two choices of them.
    """

    def __init__(self, base: Optimizer, radius: float, keep: float, refresh: int):
        super().__init__(base, radius)
        self._keep, self._refresh = keep, refresh
        self._turn = 0
        self._masks: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def ascend(self) -> None:
        if self._turn % self._refresh == 0:
            self._choose()
        super().ascend()
        self._turn += 1

    def _choose(self) -> None:
        reached = [p for g in self.param_groups for p in g["params"] if p.grad is not None]
        fisher = torch.cat([p.grad.float().square().flatten() for p in reached])
        chosen = torch.zeros(len(fisher), dtype=torch.bool, device=fisher.device)
        chosen[fisher.topk(round(self._keep * len(fisher))).indices] = True
        parts = chosen.split([p.numel() for p in reached])
        self._masks = {p: part.view(p.shape) for p, part in zip(reached, parts, strict=True)}

    def _direction(self, parameter: Tensor) -> Tensor:
        # one that had no gradient when the mask was made is in none
        mask = self._masks.get(parameter)
        return parameter.grad * (0 if mask is None else mask)

    def state_dict(self) -> dict[str, Any]:
        found = super().state_dict()
        ordered = [p for g in self.param_groups for p in g["params"]]
        own = {
            number: {_MASK: self._masks[p], _TURN: torch.tensor(self._turn)}
            for number, p in enumerate(ordered)
            if p in self._masks
        }
        state = {number: {**entries, **own.get(number, {})}
                 for number, entries in found["state"].items()}  # fmt: skip
        return {**found, "state": state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        ordered = [p for g in self.param_groups for p in g["params"]]
        theirs, self._masks, self._turn = {}, {}, 0
        for number, entries in state_dict["state"].items():
            theirs[number] = {k: v for k, v in entries.items() if k not in (_MASK, _TURN)}
            if _MASK in entries:
                p = ordered[number]
                self._masks[p] = entries[_MASK].to(p.device)
                self._turn = int(entries[_TURN])
        super().load_state_dict({**state_dict, "state": theirs})


def _keeps(shape: Iterable[int], *, decays: bool, **settings: object) -> int:
    # a byte a weight is a quarter of a number
    return base_keeps(shape, decays=decays, **settings) + -(-prod(shape) // 4)


@optimizer_kind(
    Kind(
        "fsam",
        "SAM of the weights that matter most",
        {
            "base": BASE,
            "radius": RADIUS,
            "keep": Setting(0.1, "log", most=1),
            "refresh": Setting(100),
        },
    ),
    _keeps,
)
def fsam(
    decayed: Parameters,
    kept: Parameters,
    *,
    learning_rate: float,
    weight_decay: float,
    base: str,
    radius: float,
    keep: float,
    refresh: int,
) -> Optimizer:
    """Return FSAM around the optimizer called `base`, at its default settings."""
    inner = based(base)(decayed, kept, learning_rate=learning_rate, weight_decay=weight_decay)
    return FisherSharpnessAware(inner, radius, keep, refresh)
