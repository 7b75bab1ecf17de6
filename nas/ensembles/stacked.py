"""A small network on the members' vectors of a text, which corrects their mean.

Source: Wolpert, "Stacked Generalization", Neural Networks 1992. Our definition: the vectors side by
side go through one hidden layer, and what comes out is added to the logarithm of the members' mean
probability (to their mean, of a number), so that nothing learnt is a plain mean. A fifth of the
examples says after how many steps, none perhaps, the network does best; then all are learnt from.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nas.ensembles.base import ENSEMBLES, Answers, Ensemble, Standard

if TYPE_CHECKING:  # a shell that completes names of kinds is not to wait for torch
    from torch import Tensor

HIDDEN, STEPS, RATE, DECAY = 16, 100, 3e-3, 0.1
JUDGES = 5  # one of so many examples says after how many steps to stop
_LEAST = 1e-6  # of a probability


@ENSEMBLES.register("stacked")
class Stacked(Ensemble):
    """Two linear maps with a GELU between, full-batch AdamW in float64."""

    def fit(self, answers: Answers, labels: np.ndarray, *, seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(labels))
        judges, others = np.split(order, [len(labels) // JUDGES])
        steps = 0
        if len(judges):
            held = (answers.at(judges), labels[judges])
            losses = self._learn(answers.at(others), labels[others], seed, STEPS, held)
            steps = int(np.argmin(losses))
        self._learn(answers, labels, seed, steps)

    def _learn(
        self,
        answers: Answers,
        labels: np.ndarray,
        seed: int,
        steps: int,
        held: tuple[Answers, np.ndarray] | None = None,
    ) -> list[float]:
        """Train anew; return the loss of what is held out before the first step and after each."""
        import torch
        from torch import nn

        from nas.training.seeds import torch_seed

        self._standard = Standard(answers.vectors)
        self._scale = float(labels.std()) or 1.0
        outputs = answers.probabilities.shape[2]
        generator = torch.Generator().manual_seed(torch_seed(seed))
        linear = partial(nn.utils.skip_init, nn.Linear, dtype=torch.float64)
        self._network = nn.Sequential(
            linear(answers.vectors.shape[1], HIDDEN), nn.GELU(), linear(HIDDEN, outputs)
        )
        bound = answers.vectors.shape[1] ** -0.5
        with torch.no_grad():
            for parameter in self._network[0].parameters():
                parameter.uniform_(-bound, bound, generator=generator)
            for parameter in self._network[2].parameters():
                parameter.zero_()
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=RATE, weight_decay=DECAY)
        losses = []
        for step in range(steps + 1):
            if held is not None:
                with torch.no_grad():
                    losses.append(float(self._loss(*held)))
            if step < steps:
                optimizer.zero_grad()
                self._loss(answers, labels).backward()
                optimizer.step()
        return losses

    def _loss(self, answers: Answers, labels: np.ndarray) -> "Tensor":
        import torch

        found, wanted = self._outputs(answers), torch.from_numpy(labels.astype(np.float64))
        if answers.numbers:
            return (found[:, 0] - wanted).square().mean() / self._scale**2
        return torch.nn.functional.cross_entropy(found, wanted.long())

    def combine(self, answers: Answers) -> np.ndarray:
        import torch

        with torch.no_grad():
            found = self._outputs(answers)
            return (found if answers.numbers else found.softmax(1)).numpy()

    def _outputs(self, answers: Answers) -> "Tensor":
        import torch

        mean = torch.from_numpy(answers.probabilities.mean(0))
        correction = self._network(torch.from_numpy(self._standard(answers.vectors)))
        if answers.numbers:
            return mean + correction * self._scale
        return mean.clamp(min=_LEAST).log() + correction
