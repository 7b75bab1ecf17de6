"""Several models of one metric, each believed as far as it foretold what was told."""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from surrogates.models.gaussian_process import SumKernelGP
from surrogates.models.model import Belief, Model

LEAST = 0.01  # a share below it counts as none


class ModelAverage(Model):
    """An average of Gaussian processes, weighted by how they foretell each result from the rest.

    Source: of the weights, Geisser and Eddy, "A Predictive Approach to Model Selection", JASA 1979:
    the densities of all results, each left out once, in the place of the marginal likelihood.

    Args:
        members: The models.
        odds: How far each is believed before anything is told, relative to the others,
            `(members,)`.

    Attributes:
        shares: How far each is believed now; they sum to 1.
    """

    learns_fidelities = True
    learns_from_few = True

    def __init__(self, members: Sequence[SumKernelGP], odds: Sequence[float]):
        self.members, self._odds = list(members), np.log(odds)
        self._weigh(softmax(self._odds))

    def fit(self, architectures, targets, rng, fidelities=None):
        self.learn(architectures, targets, fidelities)
        self.condition(architectures, targets, fidelities)

    def learn(self, architectures, targets, fidelities=None) -> None:
        """Find the hyper-parameters of every member."""
        for member in self.members:
            member.learn(architectures, targets, fidelities)

    def condition(self, architectures, targets, fidelities=None) -> None:
        """Take these results for known, and weigh the members by them."""
        for member in self.members:
            member.condition(architectures, targets, fidelities)
        foretold = [member.left_out().sum() for member in self.members]
        self._weigh(softmax(self._odds + foretold))

    def _weigh(self, shares: np.ndarray) -> None:
        # what has next to no say would cost as much to ask as the others
        self.shares = np.where(shares < LEAST, 0.0, shares) / shares[shares >= LEAST].sum()
        self._heard = [m for m, share in zip(self.members, self.shares, strict=True) if share]

    def believe(self, architectures):
        beliefs = [member.believe(architectures) for member in self._heard]
        shares = self.shares[self.shares > 0]
        means = np.stack([b.mean for b in beliefs])
        mean = shares @ means
        # where the members disagree, none of them is sure
        within = shares @ np.stack([b.epistemic**2 for b in beliefs])
        between = shares @ (means - mean) ** 2
        noise = shares @ np.stack([b.aleatoric**2 for b in beliefs])
        return Belief(mean, np.sqrt(within + between), np.sqrt(noise))

    def covariance(self, architectures):
        means = np.stack([m.believe(architectures).mean for m in self._heard])
        shares = self.shares[self.shares > 0]
        off = means - shares @ means
        within = np.stack([m.covariance(architectures) for m in self._heard])
        return np.tensordot(shares, within, 1) + (off.T * shares) @ off

    def assume(self, architectures, targets):
        """Assume that each member gets what it expects itself, whatever `targets` say.

        Then no member doubts what it was told because of what another one expects.
        """
        for member in self._heard:
            member.assume(architectures, member.believe(architectures).mean)
