"""Each class, or each answer to choose from, gets a reward of its own: the right one a high one.

Source: Avelina, "Direct Preference Heads: Aligning Language Models through Rewards" (the released
code's losses and numbers), 2024.
Differs on purpose: an encoder generates nothing, so that the head's loss stands alone, and what is
kept of the language model is how near its weights stay to where they began; rewards are read off
the encoder's pooled token or mean instead of a last [CLS]; the head keeps its bias, which no choice
among answers sees. Of several wrong answers the mean counts. Tasks that are no choice are learnt as
usual: a number has no wrong answer to prefer another to.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.data.batches import Batch
from nas.evaluation.kinds import TaskKind
from nas.evaluation.kinds.classes import Classes
from nas.training.finetunings.base import FINETUNINGS, FineTuning
from nas.training.prediction import Scale
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["finetuning"].kinds.register("preference-heads")(
    Kind(
        "preference-heads",
        "a reward for each answer, right ones above wrong ones",
        {
            "loss": Setting("separable", "name", ("separable", "contrastive")),
            "smoothing": Setting(0.1, "line", most=0.49),
            "decay": Setting(0.5, "line"),
            "backbone": Setting("learns", "name", ("learns", "frozen")),
        },
    )
)


@FINETUNINGS.register("preference-heads")
class PreferenceHeads(FineTuning):
    """Takes a head's outputs for rewards.

    Args:
        loss: "separable" says of each reward whether it is right, "contrastive" which of two is,
            which leaves open where rewards lie.
        smoothing: Share of labels that are taken to be wrong.
        decay: How fast the encoder's weights return to where they began, by the learning rate.
        backbone: "frozen" lets the pooler and the head learn alone.
    """

    def __init__(self, loss: str, smoothing: float, decay: float, backbone: str):
        self._loss = {"separable": separable, "contrastive": contrastive}[loss]
        self.smoothing, self.decay, self.frozen = smoothing, decay, backbone == "frozen"
        self._start: list[tuple[nn.Parameter, Tensor]] = []

    @contextmanager
    def applied(self, encoder: nn.Module) -> Iterator[None]:
        learnt = [(p, p.requires_grad) for p in encoder.parameters()]
        if self.frozen:
            encoder.requires_grad_(requires_grad=False)
            encoder.pooler.requires_grad_()
        if self.decay:
            moving = (p for p in encoder.parameters() if p.requires_grad)
            self._start = [(p, p.detach().clone()) for p in moving]
        try:
            yield
        finally:
            self._start = []
            for p, before in learnt:
                p.requires_grad_(before)

    def task_loss(
        self, kind: TaskKind, outputs: Tensor, batch: Batch, scale: Scale
    ) -> Tensor | None:
        if not isinstance(kind, Classes):
            return None
        return self._loss(outputs, batch.labels.long(), self.smoothing)

    @torch.no_grad()
    def stepped(self, learning_rate: float) -> None:
        for p, start in self._start:
            p.lerp_(start, learning_rate * self.decay)


def separable(rewards: Tensor, right: Tensor, smoothing: float) -> Tensor:
    """Return the loss of rewards that say of each answer whether it is right, a scalar.

    Args:
        rewards: Of each answer, `(batch, answers)`.
        right: Place of the right one, `(batch,)` int64.
        smoothing: Share of labels that are taken to be wrong.
    """
    chosen = F.one_hot(right, rewards.shape[1]).to(rewards.dtype)
    goal = chosen * (1 - smoothing) + (1 - chosen) * smoothing
    each = F.binary_cross_entropy_with_logits(rewards, goal, reduction="none")
    return (each * _weights(chosen)).sum(1).mean()


def contrastive(rewards: Tensor, right: Tensor, smoothing: float) -> Tensor:
    """Return the loss of rewards that say which of two answers is right; as `separable`."""
    chosen = F.one_hot(right, rewards.shape[1]).to(rewards.dtype)
    ahead = (rewards * chosen).sum(1, keepdim=True) - rewards
    each = -(1 - smoothing) * F.logsigmoid(ahead) - smoothing * F.logsigmoid(-ahead)
    return (each * _weights(chosen) * (1 - chosen)).sum(1).mean()


def _weights(chosen: Tensor) -> Tensor:
    """1 for the right answer, and 1 for all wrong ones together."""
    wrong = 1 - chosen
    return chosen + wrong / wrong.sum(1, keepdim=True).clamp(min=1)
