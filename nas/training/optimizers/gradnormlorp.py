"""Adam on a few directions of each matrix's weight-normalised gradient.

Source: Huang et al., "Gradient Weight-normalized Low-rank Projection for Efficient LLM Training",
AAAI 2025; the projection is that of Zhao et al., "GaLore", ICML 2024.
Differs on purpose, from the released code: a row's length and its direction are both read off the
matrix at each step, which keeps what the last step did to the length (there it lives until the next
step only) and needs no second copy of the matrix; the direction's gradient lacks nothing (there its
radial part stays in); moments turn with the directions when these are chosen anew; weight decay is
applied once. With `scale=1` the learning rate is that of AdamW. With `bits=8` the moments of
directions have eight bits; see `nas.training.optimizers.eight_bits`.
"""

from collections.abc import Iterable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from nas.training.optimizers.adamw import adamw
from nas.training.optimizers.base import Parameters, optimizer_kind
from nas.training.optimizers.eight_bits import numbers_kept, read_moment, write_moment
from nas.training.optimizers.joined import Joined
from search_spaces.kinds import Kind
from search_spaces.parts import Setting

BETAS, EPSILON = (0.9, 0.999), 1e-6


class LowRank(Optimizer):
    """Adam for matrices, its moments of `rank` directions of the shorter side.

    Args:
        groups: Matrices with a "weight_decay" each.
        lr: Learning rate.
        rank: Directions that the gradient is projected to.
        refresh: Steps between two choices of the directions: those of the gradient at hand.
        scale: Factor of what comes back from the projection.
        normed: Whether length and direction of each row learn apart.
        bits: Of the moments of directions, 32 or 8.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        lr: float,
        *,
        rank: int,
        refresh: int,
        scale: float = 1.0,
        normed: bool = True,
        bits: int = 32,
    ):
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0})
        self._rank, self._refresh, self._scale, self._normed = rank, refresh, scale, normed
        self._coded = bits == 8

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move all matrices that have a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, group["lr"], group["weight_decay"])

    def _move(self, p: Tensor, rate: float, decay: float) -> None:
        state = self.state[p]
        steps = float(state.get("step", 0))
        slope, pull, lengths = p.grad, None, None
        if self._normed:
            lengths = p.norm(dim=1, keepdim=True)
            directions = p / lengths.clamp(min=EPSILON)
            pull = (p.grad * directions).sum(1, keepdim=True)
            slope = p.grad - directions * pull
        wide = p.shape[0] <= p.shape[1]
        if steps % self._refresh == 0:
            self._choose(state, slope if wide else slope.T)
        state["step"] = state["step"] + 1 if steps else torch.ones(())
        basis = state["basis"]  # (shorter side, rank)
        small = basis.T @ slope if wide else slope @ basis
        update = _adam(state, "", small, steps + 1, coded=self._coded)
        full = basis @ update if wide else update @ basis.T
        p.mul_(1 - rate * decay)
        moved = p - (rate * self._scale) * full
        if lengths is not None:
            lengths = lengths * (1 - rate * decay) - rate * _adam(state, "length_", pull, steps + 1)
            moved = lengths * moved / moved.norm(dim=1, keepdim=True).clamp(min=EPSILON)
        p.copy_(moved)

    def _choose(self, state: dict[str, Tensor], gradient: Tensor) -> None:
        """Take the directions along which a gradient `(shorter, longer)` is largest."""
        rank = min(self._rank, len(gradient))
        exact = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
        basis = torch.linalg.svd(exact, full_matrices=False).U[:, :rank]
        basis = basis.to(gradient.dtype).contiguous()
        old = state.get("basis")
        if old is not None:
            turn = basis.T @ old
            read, write = (read_moment, write_moment) if self._coded else (dict.get, _put)
            first, second = read(state, "exp_avg"), read(state, "exp_avg_sq")
            if first.shape[0] == rank and first.shape[1] == gradient.shape[1]:
                first, second = turn @ first, turn.square() @ second
            else:
                first, second = first @ turn.T, second @ turn.T.square()
            write(state, "exp_avg", first)
            write(state, "exp_avg_sq", second)
        state["basis"] = basis


def _put(state: dict[str, Tensor], name: str, value: Tensor) -> None:
    state[name] = value


def _adam(
    state: dict[str, Tensor], name: str, gradient: Tensor, steps: float, *, coded: bool = False
) -> Tensor:
    """Update the moments called `name`; return the step for a rate of 1."""
    read, write = (read_moment, write_moment) if coded else (dict.get, _put)
    names = f"{name}exp_avg", f"{name}exp_avg_sq"
    first, second = (
        read(state, key) if key in state else torch.zeros_like(gradient) for key in names
    )
    first.lerp_(gradient, 1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    for key, value in zip(names, (first, second), strict=True):
        write(state, key, value)
    scale = (second / (1 - BETAS[1] ** steps)).sqrt() + EPSILON
    return first / (1 - BETAS[0] ** steps) / scale


def _keeps(shape: Iterable[int], *, decays: bool, rank: int, bits: int, **settings: object) -> int:
    shape = tuple(shape)
    if not decays or len(shape) != 2:
        return 2 * prod(shape)
    short, long = sorted(shape)
    moment = min(rank, short) * long
    moment = numbers_kept(moment) if bits == 8 else moment
    return min(rank, short) * short + 2 * moment + 2 * shape[0]


@optimizer_kind(
    Kind(
        "gradnormlorp",
        "Adam on a few directions of weight-normalised gradients",
        {
            "rank": Setting(8),
            "refresh": Setting(200),
            "scale": Setting(1.0),
            "bits": Setting(32, "line", (8, 32), weight=0.001),
        },
    ),
    _keeps,
)
def gradnormlorp(
    decayed: Parameters,
    kept: Parameters,
    *,
    learning_rate: float,
    weight_decay: float,
    rank: int,
    refresh: int,
    scale: float,
    bits: int = 32,
) -> Optimizer:
    """Return GradNormLoRP for the matrices in `decayed` and AdamW for all other parameters."""
    matrices = [p for p in decayed if p.ndim == 2]
    rest = adamw(
        [p for p in decayed if p.ndim != 2],
        kept,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    if not matrices:
        return rest
    groups = [{"params": matrices, "weight_decay": weight_decay}]
    own = LowRank(groups, learning_rate, rank=rank, refresh=refresh, scale=scale, bits=bits)
    return Joined(own, rest)
