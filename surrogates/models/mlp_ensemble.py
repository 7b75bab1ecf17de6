"""An ensemble of small networks, trained at once: their spread is what they do not know.

Source: Lakshminarayanan, Pritzel, Blundell, "Simple and Scalable Predictive Uncertainty Estimation
using Deep Ensembles", NIPS 2017 (networks that differ in their initial weights alone).
"""

import numpy as np
import torch
from torch import Tensor

from surrogates.features.one_hot import OneHotRows, ToldColumns
from surrogates.models.model import Belief, Model

NETWORKS, HIDDEN = 5, (64, 64)
STEPS, RATE, DECAY = 200, 0.01, 1e-4


class MlpEnsemble(Model):
    """Five perceptrons over one-hot rows, full-batch AdamW on the absolute error; float32.

    Args:
        rows: Encodes architectures.
    """

    def __init__(self, rows: OneHotRows):
        self._rows = rows

    def fit(self, architectures, targets, rng):
        self._told, self._targets = list(architectures), np.asarray(targets, float)
        self._seed = int(rng.integers(2**31))
        self._train()

    def _train(self) -> None:
        self._columns = ToldColumns(self._rows, self._told)
        rows = torch.as_tensor(self._columns(self._told), dtype=torch.float32)
        targets = torch.as_tensor(self._targets, dtype=torch.float32)
        self._weights = _initial(rows.shape[1], torch.Generator().manual_seed(self._seed))
        optimiser = torch.optim.AdamW(self._weights, lr=RATE, weight_decay=DECAY)
        for _ in range(STEPS):
            optimiser.zero_grad()
            # each network has its own loss: the sum has the gradients of all of them
            (_forward(self._weights, rows) - targets).abs().mean(dim=1).sum().backward()
            optimiser.step()
        with torch.no_grad():
            errors = _forward(self._weights, rows).mean(dim=0) - targets
        self._noise = float(errors.std(correction=0))

    def believe(self, architectures):
        rows = torch.as_tensor(self._columns(architectures), dtype=torch.float32)
        with torch.no_grad():
            answers = _forward(self._weights, rows).double().numpy()
        spread = np.maximum(answers.std(axis=0, ddof=1), 1e-6)
        return Belief(answers.mean(axis=0), spread, np.full(len(rows), self._noise))

    def assume(self, architectures, targets):
        self._told += architectures
        self._targets = np.concatenate([self._targets, targets])
        self._train()


def _initial(inputs: int, generator: torch.Generator) -> list[Tensor]:
    """Return weights and biases in turn, `(networks, in, out)` and `(networks, 1, out)`."""
    found = []
    widths = (inputs, *HIDDEN, 1)
    for before, after in zip(widths, widths[1:], strict=False):
        weights = torch.randn((NETWORKS, before, after), generator=generator)
        found += [weights * (2 / before) ** 0.5, torch.zeros(NETWORKS, 1, after)]
    return [tensor.requires_grad_() for tensor in found]


def _forward(weights: list[Tensor], rows: Tensor) -> Tensor:
    """Return the answers of every network, `(networks, n)`."""
    hidden = rows.expand(NETWORKS, *rows.shape)
    for i in range(0, len(weights), 2):
        hidden = torch.baddbmm(weights[i + 1], hidden, weights[i])
        if i + 2 < len(weights):
            hidden = torch.relu(hidden)
    return hidden.squeeze(-1)
