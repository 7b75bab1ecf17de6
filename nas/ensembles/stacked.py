"""A small network on the members' vectors of a text, which corrects their mean.

Source: Wolpert, "Stacked Generalization", Neural Networks 1992. Our definition: the vectors side by
side go through one hidden layer, and what comes out is added to the logarithm of the members' mean
probability (to their mean, of a number), so that nothing learnt is a plain mean.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nas.ensembles.base import ENSEMBLES, Answers, Ensemble, Standard

if TYPE_CHECKING:  # a shell that completes names of kinds is not to wait for torch
    from torch import Tensor

HIDDEN, STEPS, RATE, DECAY = 16, 100, 3e-3, 0.1
_LEAST = 1e-6  # of a probability


@ENSEMBLES.register("stacked")
class Stacked(Ensemble):
    """Two linear maps with a GELU between, full-batch AdamW in float64."""

    def fit(self, answers: Answers, labels: np.ndarray, *, seed: int) -> None:
        import torch
        from torch import nn

        self._standard = Standard(answers.vectors)
        self._scale = float(labels.std()) or 1.0
        outputs = answers.probabilities.shape[2]
        generator = torch.Generator().manual_seed(seed)
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
        wanted = torch.from_numpy(labels.astype(np.float64))
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=RATE, weight_decay=DECAY)
        for _ in range(STEPS):
            optimizer.zero_grad()
            found = self._outputs(answers)
            if answers.numbers:
                loss = (found[:, 0] - wanted).square().mean() / self._scale**2
            else:
                loss = nn.functional.cross_entropy(found, wanted.long())
            loss.backward()
            optimizer.step()

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
