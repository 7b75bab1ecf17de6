"""Scale-invariant adversarial fine-tuning: answers may not change where embeddings hardly do.

Source: He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", ICLR 2021, with
the numbers of the released code: noise of 0.01 cut at two deviations, one step of 1e-4 uphill.
Differs on purpose: what is perturbed are the normed embeddings that the first layer reads, which
is why nothing more is normed; the consistency is the divergence of the answers, both ways, which is
zero where classes or numbers agree (the released code sums cross entropies, which are not); the
noise is an argument of each pass instead of a state of the model.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.data.batches import Batch
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.training.finetunings.base import FINETUNINGS, FineTuning
from nas.training.prediction import outputs_of
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["finetuning"].kinds.register("sift")(
    Kind(
        "sift",
        "answers stay where embeddings are disturbed",
        {"weight": Setting(1.0), "noise": Setting(0.01), "step": Setting(1e-4)},
    )
)


@FINETUNINGS.register("sift")
class Sift(FineTuning):
    """Adds how far the answers to disturbed embeddings are from those to clean ones.

    Args:
        weight: Of that, beside the loss against the labels.
        noise: Standard deviation of the disturbance before it goes uphill.
        step: How far uphill it goes, of each token's largest entry.
    """

    def __init__(self, weight: float, noise: float, step: float):
        self.weight, self.noise, self.step = weight, noise, step

    def extra_loss(
        self, encoder: nn.Module, head: nn.Module, task: Task, batch: Batch, outputs: Tensor
    ) -> Tensor:
        kind, clean = TASK_KINDS[task.kind], outputs.detach()

        def gap(disturbance: Tensor) -> Tensor:
            with disturbed(encoder, disturbance):
                found = outputs_of(encoder, head, batch, tokens=kind.reads_tokens)
            if kind.reads_tokens:
                return _divergence(kind, found[batch.keep], clean[batch.keep])
            return _divergence(kind, found, clean)

        width = encoder.architecture.layers[0].width
        like = torch.empty(*batch.sequences.tokens.shape, width, device=batch.tokens.device)
        drawn = torch.nn.init.trunc_normal_(
            like, std=self.noise, a=-2 * self.noise, b=2 * self.noise
        ).requires_grad_()
        (uphill,) = torch.autograd.grad(gap(drawn), drawn)
        largest = uphill.abs().amax(-1, keepdim=True).clamp(min=1e-12)
        return self.weight * gap((drawn + self.step * uphill / largest).detach())


def _divergence(kind: object, found: Tensor, clean: Tensor) -> Tensor:
    return kind.soft_loss(found, clean, 1.0) + kind.soft_loss(clean, found, 1.0)


@contextmanager
def disturbed(encoder: nn.Module, disturbance: Tensor) -> Iterator[None]:
    """Add something to what the first layer reads, `(batch, length, width)`."""
    hook = encoder.embeddings.register_forward_hook(lambda module, read, found: found + disturbance)
    try:
        yield
    finally:
        hook.remove()
