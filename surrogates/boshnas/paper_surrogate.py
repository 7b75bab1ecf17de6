"""The surrogate of the published BOSHNAS: a mean and two uncertainties of an embedded input.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023.
Differs on purpose: no rows are set aside for early stopping, which the published code re-draws each
epoch and so leaks; a round has at most `STEPS` steps a network.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from surrogates.boshnas.npn import NaturalParameterNetwork
from surrogates.boshnas.teacher_student import DROPOUT, HIDDEN, Perceptron, disagreement

EPOCHS, STEPS = 200, 3_000  # passes of a round over the results, and its steps at most
TEACHER_RATE, STUDENT_RATE, NPN_RATE = 2e-3, 2e-3, 5e-5
ERROR_WEIGHT = 10.0  # the published loss weighs the squared error tenfold
EXPLORATION = 0.5  # standard deviations taken off the mean


class PaperSurrogate:
    """Teacher, student and natural-parameter network, which learn on from round to round.

    Args:
        inputs: Width of an embedded architecture.
        heteroscedastic: Take the mean from the natural-parameter network, else from the teacher.
        generator: For initial weights.
    """

    def __init__(self, inputs: int, *, heteroscedastic: bool, generator: torch.Generator):
        self.teacher = Perceptron(inputs, DROPOUT, generator)
        self.student = Perceptron(inputs, 0.0, generator)
        self.network: NaturalParameterNetwork | None = None
        if heteroscedastic:
            self.network = NaturalParameterNetwork(inputs, generator=generator)
        self._moments: dict[nn.Module, np.ndarray] = {}
        self._count = 0

    def learn(self, rows: Tensor, losses: Tensor, rng: np.random.Generator) -> None:
        """Take one round of steps, a row at a time in passes of random order.

        Args:
            rows: Embedded architectures, `(n, inputs)`, float64.
            losses: What to minimise, `(n,)`, in [0, 1].
            rng: Of the order of rows, and of dropout.
        """
        from surrogates.boshnas.online_kernels import natural_parameter_steps

        steps = min(STEPS, EPOCHS * len(rows))
        passes = [rng.permutation(len(rows)) for _ in range(-(-steps // len(rows)))]
        order = np.concatenate(passes)[:steps]
        keep = (rng.random((steps, sum(HIDDEN))) >= DROPOUT) / (1 - DROPOUT)
        self._fit(self.teacher, rows, losses, order, keep, TEACHER_RATE, adaptive=True)
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        doubt = disagreement(self.teacher, rows, generator)
        kept = np.ones_like(keep)
        self._fit(self.student, rows, doubt, order, kept, STUDENT_RATE, adaptive=False)
        if self.network is not None:
            layers = self.network.layers
            widths = np.array([rows.shape[1], *(layer.bias.shape[-1] for layer in layers)])
            weights, moments = self._state(self.network)
            natural_parameter_steps(
                weights, moments, self._count, widths, rows.numpy(), losses.numpy(), order,
                NPN_RATE, ERROR_WEIGHT,
            )  # fmt: skip
            vector_to_parameters(torch.from_numpy(weights), self.network.parameters())
        self._count += steps

    def _fit(
        self, network: Perceptron, rows: Tensor, targets: Tensor, order: np.ndarray,
        keep: np.ndarray, rate: float, *, adaptive: bool,
    ) -> None:  # fmt: skip
        from surrogates.boshnas.online_kernels import perceptron_steps

        widths = np.array([rows.shape[1], *HIDDEN, 1])
        weights, moments = self._state(network)
        perceptron_steps(
            weights, moments, self._count, widths, rows.numpy(), targets.numpy(), order, keep, rate,
            adaptive,
        )  # fmt: skip
        vector_to_parameters(torch.from_numpy(weights), network.parameters())

    def _state(self, network: nn.Module) -> tuple[np.ndarray, np.ndarray]:
        """Return a network's weights as one vector, and the moments of its optimiser."""
        weights = parameters_to_vector(network.parameters()).detach().numpy().copy()
        return weights, self._moments.setdefault(network, np.zeros((2, len(weights))))

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
