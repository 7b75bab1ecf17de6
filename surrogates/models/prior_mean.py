"""A model that begins with what was known before any result: it learns what is left.

The prior says of every architecture what parts measured one by one add up to. How much of a metric
follows it is found by the results: a slope, shrunk to a prior one as long as they are few.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 2.7
(explicit basis functions with a prior on their coefficients).
Differs on purpose: the slope is fixed before the model of the residuals is fitted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.models.model import Belief, Model

SLOPE = 0.6  # deviations of the target for one of the prior, before any result
DOUBT = 3.0  # results that weigh as much as that
Prior = Callable[[Sequence[Architecture]], np.ndarray]


class AdditivePrior:
    """What the parts of an architecture's layers add up to, as measured one by one.

    Args:
        table: Of one metric: "base", a number; "layers", for each depth (a text) the numbers of the
            measured layers that an architecture so deep has; "without", for each depth what the
            missing ones add; "heads" and "feedforward", for each measured layer from the text of a
            layer's heads, `sa_sdp*3`, and from its inner width, to what it adds; "mean" and
            "deviation" over the space, by which values are brought to a common scale.

    Raises:
        PolicyError: It lacks something.
    """

    def __init__(self, table: Mapping[str, Any]):
        lacking = [key for key in _KEYS if key not in table]
        if lacking:
            raise PolicyError(
                f"The prior has no {lacking[0]!r}. Give a table with {', '.join(_KEYS)}, as a "
                "search inside a checkpoint measures it."
            )
        self._table = table

    def raw(self, architecture: Architecture) -> float:
        """Return the sum, in the metric's unit."""
        table, depth = self._table, str(len(architecture.layers))
        total = float(table["base"]) + float(table["without"].get(depth, 0.0))
        # deeper than what was measured: nothing more is known
        places = table["layers"].get(depth, [])
        for place, layer in zip(places, architecture.layers, strict=False):
            for key, text in (("heads", heads_text(layer)), ("feedforward", inner_text(layer))):
                known = table[key][place]
                usual = float(np.mean(list(known.values()))) if text not in known else 0.0
                total += float(known.get(text, usual))
        return total

    def __call__(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the sums in deviations from their mean over the space, `(n,)`."""
        values = np.array([self.raw(one) for one in architectures])
        return (values - self._table["mean"]) / (self._table["deviation"] or 1.0)


_KEYS = ("base", "layers", "without", "heads", "feedforward", "mean", "deviation")


def heads_text(layer: Any) -> str:
    """Return what a layer's heads are, such as `sa_sdp*3`."""
    return f"{layer.heads[0].kind}*{len(layer.heads)}"


def inner_text(layer: Any) -> str:
    """Return the inner widths of a layer's feed-forward."""
    return "-".join(map(str, layer.feedforward))


class WithPrior(Model):
    """A model of what is left of a metric once a prior is taken off.

    Args:
        model: Of what is left.
        prior: Of architectures, larger is better, about standard normal over the space.
    """

    def __init__(self, model: Model, prior: Prior):
        self.model, self.prior, self.slope = model, prior, SLOPE
        self.learns_fidelities, self.learns_from_few = (
            model.learns_fidelities, model.learns_from_few,
        )  # fmt: skip

    def fit(self, architectures, targets, rng, *fidelities):
        self.model.fit(architectures, self._left(architectures, targets), rng, *fidelities)

    def learn(self, architectures, targets, *fidelities) -> None:
        """Find the slope, and the model's hyper-parameters."""
        self.model.learn(architectures, self._left(architectures, targets), *fidelities)

    def condition(self, architectures, targets, *fidelities) -> None:
        """Take these results for known, with the slope that `learn` found."""
        left = np.asarray(targets) - self.slope * self.prior(architectures)
        self.model.condition(architectures, left, *fidelities)

    def _left(self, architectures: Sequence[Architecture], targets: np.ndarray) -> np.ndarray:
        known, targets = self.prior(architectures), np.asarray(targets, float)
        # targets are of those told alone, so that both are compared as they vary among them
        centred = known - known.mean()
        agreed = centred @ (targets - targets.mean()) + DOUBT * SLOPE
        self.slope = float(agreed / (centred @ centred + DOUBT))
        return targets - self.slope * known

    def believe(self, architectures):
        found = self.model.believe(architectures)
        mean = found.mean + self.slope * self.prior(architectures)
        return Belief(mean, found.epistemic, found.aleatoric)

    def follow(self, rng):
        self.model.follow(rng)

    def covariance(self, architectures):
        return self.model.covariance(architectures)

    def assume(self, architectures, targets):
        left = np.asarray(targets) - self.slope * self.prior(architectures)
        self.model.assume(architectures, left)
