"""Natural-parameter networks in an ensemble: each knows noise, together they know doubt.

Source: heteroscedastic natural-parameter networks as a surrogate: Tuli et al., "FlexiBERT", JAIR
2023; ensembles: Lakshminarayanan, Pritzel, Blundell, "Simple and Scalable Predictive Uncertainty
Estimation Using Deep Ensembles", NeurIPS 2017.
Differs on purpose: a rate at which the networks learn within a few hundred steps, the likelihood
itself as the loss, and disagreement of whole networks instead of a student of dropout, which
remains as a choice.
"""

import numpy as np

from surrogates.features.columns import Featurizer
from surrogates.models.model import Belief, Model

MEMBERS, STEPS, RATE, DECAY = 5, 200, 1e-2, 1e-3
LEAST, MOST = -3.0, 3.0  # targets between which a teacher, whose answers are in [0, 1], learns
REACH = 0.5  # of a pending architecture, in root-mean-square distance of features


class NetworkEnsemble(Model):
    """Fits all members at once by full-batch Adam.

    Args:
        features: Turns architectures into standardised rows.
        student: Doubt is what a student has learned of a teacher's disagreement under dropout,
            instead of the disagreement of the members.
    """

    def __init__(self, features: Featurizer, *, student: bool = False):
        self._features, self._with_student = features, student

    def fit(self, architectures, targets, rng):
        import torch

        from surrogates.boshnas.npn import NaturalParameterNetwork, gaussian_loss

        rows = torch.as_tensor(self._features(architectures))
        wanted = torch.as_tensor(np.asarray(targets, float))
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        self._network = NaturalParameterNetwork(
            rows.shape[1], members=MEMBERS, bounded=False, generator=generator
        )
        self._assumed = np.empty((0, rows.shape[1]))
        optimiser = torch.optim.AdamW(self._network.parameters(), lr=RATE, weight_decay=DECAY)
        for _ in range(STEPS):
            optimiser.zero_grad()
            mean, variance = self._network(rows)
            gaussian_loss(mean, variance + 1e-3, wanted, 1.0).backward()
            optimiser.step()
        if self._with_student:
            from surrogates.boshnas.teacher_student import taught

            shares = ((wanted - LEAST) / (MOST - LEAST)).clamp(0, 1)
            elsewhere = torch.as_tensor(self._features(self._features.reference))
            _, self._student = taught(rows, shares, elsewhere, generator)

    def believe(self, architectures):
        import torch

        rows = self._features(architectures)
        with torch.no_grad():
            mean, variance = (part.numpy() for part in self._network(torch.as_tensor(rows)))
            if self._with_student:
                epistemic = (MOST - LEAST) * self._student(torch.as_tensor(rows)).numpy()
            else:
                epistemic = np.maximum(mean.std(0, ddof=1), 1e-6)
        if len(self._assumed):
            gaps = ((rows[:, None] - self._assumed[None]) ** 2).mean(-1).min(1)
            epistemic = epistemic * np.sqrt(1 - np.exp(-gaps / (2 * REACH**2))) + 1e-9
        return Belief(mean.mean(0), epistemic, np.sqrt(variance.mean(0) + 1e-3))

    def assume(self, architectures, targets):
        # training again would take longer than the proposal; doubt vanishes around the pending
        self._assumed = np.concatenate([self._assumed, self._features(architectures)])
