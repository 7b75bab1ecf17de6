"""Epistemic uncertainty by a student that learns how much a teacher with dropout disagrees.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023; dropout as inference: Gal and Ghahramani, "Dropout as a Bayesian Approximation", ICML
2016.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

# of `taught`; doubts are small, and faster steps drive the student into the flat end of its output
RATE, STUDENT_RATE, STEPS = 1e-2, 2e-3, 200
HIDDEN = (64, 32)
DROPOUT = 0.3
PASSES = 10  # of the teacher with dropout on


class Perceptron(nn.Module):
    """Two hidden layers with softplus, dropout after each, and an output in [0, 1]; float64.

    Args:
        inputs: Width of the input rows.
        dropout: Probability of dropping a hidden unit.
        generator: For the initial weights.
    """

    def __init__(self, inputs: int, dropout: float, generator: torch.Generator):
        super().__init__()
        widths = (inputs, *HIDDEN, 1)
        self.layers = nn.ModuleList(
            nn.Linear(a, b, dtype=torch.float64) for a, b in zip(widths, widths[1:], strict=False)
        )
        for layer in self.layers:
            bound = layer.in_features**-0.5
            for parameter in layer.parameters():
                uniform = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.data = (2 * uniform - 1) * bound
        self._dropout = dropout

    def forward(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Map rows `(..., n, inputs)` to `(..., n)`; with a generator, dropout is on."""
        for layer in self.layers[:-1]:
            rows = nn.functional.softplus(layer(rows))
            if generator is not None:
                keep = (
                    torch.rand(rows.shape, generator=generator, dtype=rows.dtype) >= self._dropout
                )
                rows = rows * keep / (1 - self._dropout)
        return torch.sigmoid(self.layers[-1](rows)).squeeze(-1)


def disagreement(teacher: Perceptron, rows: Tensor, generator: torch.Generator) -> Tensor:
    """Return the standard deviation of the teacher's answers under dropout, `(n,)`."""
    with torch.no_grad():
        answers = teacher(rows.expand(PASSES, *rows.shape), generator)
    return answers.std(dim=0)


def taught(
    rows: Tensor, targets: Tensor, elsewhere: Tensor, generator: torch.Generator
) -> tuple[Perceptron, Perceptron]:
    """Return a teacher of `targets`, and a student of how much it disagrees with itself.

    Differs on purpose: both learn by Adam at rates that converge, and the student also learns where
    nothing was told, which is where its answers are wanted.

    Args:
        rows: Told, `(n, inputs)`, float64.
        targets: In [0, 1], `(n,)`.
        elsewhere: Rows without results, `(m, inputs)`.
        generator: For initial weights and dropout.
    """
    teacher = Perceptron(rows.shape[1], DROPOUT, generator)
    _learn(teacher, RATE, lambda: ((teacher(rows, generator) - targets) ** 2).mean())
    asked = torch.cat([rows, elsewhere])
    wanted = disagreement(teacher, asked, generator)
    student = Perceptron(rows.shape[1], 0.0, generator)
    _learn(student, STUDENT_RATE, lambda: ((student(asked) - wanted) ** 2).mean())
    return teacher, student


def _learn(network: Perceptron, rate: float, loss: Callable[[], Tensor]) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
