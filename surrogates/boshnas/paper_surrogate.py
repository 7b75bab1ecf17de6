"""The surrogate of the published BOSHNAS: a mean and two uncertainties of an embedded input.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023.
Differs on purpose: full-batch steps, at most `STEPS` of them, where the published code takes one
row at a time for 200 epochs; every network starts anew at each fit, so that a fit depends on the
results alone; no rows are set aside for early stopping, which the published code re-draws each
epoch and so leaks.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from surrogates.boshnas.npn import NaturalParameterNetwork, gaussian_loss
from surrogates.boshnas.teacher_student import DROPOUT, Perceptron, disagreement

EPOCHS, STEPS = 200, 1_000
TEACHER_RATE, STUDENT_RATE, NPN_RATE = 2e-3, 2e-3, 5e-5
ERROR_WEIGHT = 10.0  # the published loss weighs the squared error tenfold
EXPLORATION = 0.5  # standard deviations taken off the mean


class PaperSurrogate:
    """Teacher, student and natural-parameter network, fitted on losses in [0, 1].

    Args:
        rows: Embedded architectures, `(n, dimensions)`, float64.
        losses: What to minimise, `(n,)`, in [0, 1].
        heteroscedastic: Take the mean from the natural-parameter network, else from the teacher.
        generator: For initial weights and dropout.
    """

    def __init__(
        self, rows: Tensor, losses: Tensor, *, heteroscedastic: bool, generator: torch.Generator
    ):
        inputs, steps = rows.shape[1], min(STEPS, EPOCHS * len(rows))
        self._heteroscedastic = heteroscedastic
        self.teacher = Perceptron(inputs, DROPOUT, generator)
        _descend(
            torch.optim.AdamW(self.teacher.parameters(), lr=TEACHER_RATE),
            (((self.teacher(rows, generator) - losses) ** 2).mean() for _ in range(steps)),
        )
        doubt = disagreement(self.teacher, rows, generator)
        self.student = Perceptron(inputs, 0.0, generator)
        _descend(
            torch.optim.SGD(self.student.parameters(), lr=STUDENT_RATE),
            (((self.student(rows) - doubt) ** 2).mean() for _ in range(steps)),
        )
        self.network: nn.Module | None = None
        if heteroscedastic:
            self.network = NaturalParameterNetwork(inputs, generator=generator)
            _descend(
                torch.optim.AdamW(self.network.parameters(), lr=NPN_RATE),
                (
                    gaussian_loss(*self.network(rows), losses, ERROR_WEIGHT) / len(rows)
                    for _ in range(steps)
                ),
            )

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, epistemic deviation and aleatoric variance, each `(n,)`."""
        doubt = self.student(rows)
        if self.network is None:
            return self.teacher(rows), doubt, torch.zeros_like(doubt)
        mean, variance = self.network(rows)
        return mean[0], doubt, variance[0]

    def bound(self, rows: Tensor, *, aleatoric: bool) -> Tensor:
        """Return the optimistic loss to minimise, `(n,)`.

        With `aleatoric`, the variance of the natural-parameter network joins the doubt, as in the
        published phase that repeats noisy results.
        """
        mean, doubt, variance = self.moments(rows)
        return mean - EXPLORATION * (doubt + variance if aleatoric else doubt)


def _descend(optimiser: torch.optim.Optimizer, losses: Iterable[Tensor]) -> None:
    # `losses` is lazy: each is computed after the step before it.
    for loss in losses:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
