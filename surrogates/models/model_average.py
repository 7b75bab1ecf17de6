"""Several models of one metric, each believed as far as it foretold what was told."""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from surrogates.models.gaussian_process import SumKernelGP
from surrogates.models.model import Belief, Model

LEAST = 0.01  # a share below it counts as none
TEMPER = 0.5  # the power of the shares by which a member is drawn: no member is left out soon


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
        self.shares = _without_least(shares)
        tempered = shares**TEMPER
        self._drawn_by = _without_least(tempered / tempered.sum())
        self.follow(None)

    def follow(self, rng: np.random.Generator | None) -> None:
        """Believe one member alone, drawn by the tempered shares; with None, all of them again.

        An average is sure where its members are, and so comes back to where the first of them
        expects most; one member at a time tries what each of them expects.

        Source: of the draw, Thompson, "On the Likelihood that One Unknown Probability Exceeds
        Another in View of the Evidence of Two Samples", Biometrika 1933, over models here.
        """
        self._followed = None
        if rng is not None:
            drawn = int(rng.choice(len(self.members), p=self._drawn_by))
            self._followed = np.eye(len(self.members))[drawn]

    @property
    def _believed(self) -> tuple[list[SumKernelGP], np.ndarray]:
        """The members that are asked, and their shares, which sum to 1."""
        shares = self.shares if self._followed is None else self._followed
        return [m for m, share in zip(self.members, shares, strict=True) if share], shares[
            shares > 0
        ]

    def believe(self, architectures):
        heard, shares = self._believed
        beliefs = [member.believe(architectures) for member in heard]
        means = np.stack([b.mean for b in beliefs])
        mean = shares @ means
        # where the members disagree, none of them is sure
        within = shares @ np.stack([b.epistemic**2 for b in beliefs])
        between = shares @ (means - mean) ** 2
        noise = shares @ np.stack([b.aleatoric**2 for b in beliefs])
        return Belief(mean, np.sqrt(within + between), np.sqrt(noise))

    def covariance(self, architectures):
        heard, shares = self._believed
        means = np.stack([m.believe(architectures).mean for m in heard])
        off = means - shares @ means
        within = np.stack([m.covariance(architectures) for m in heard])
        return np.tensordot(shares, within, 1) + (off.T * shares) @ off

    def assume(self, architectures, targets):
        """Assume that each member gets what it expects itself, whatever `targets` say.

        Then no member doubts what it was told because of what another one expects.
        """
        # those too that are drawn later, however small their share
        for member, share in zip(self.members, self.shares + self._drawn_by, strict=True):
            if share:
                member.assume(architectures, member.believe(architectures).mean)


def _without_least(shares: np.ndarray) -> np.ndarray:
    return np.where(shares < LEAST, 0.0, shares) / shares[shares >= LEAST].sum()
