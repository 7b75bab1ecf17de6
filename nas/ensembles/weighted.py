"""A weighted mean of the members' probabilities, the weights positive and summing to one.

Source: a linear opinion pool: Genest and Zidek, "Combining Probability Distributions: A Critique
and an Annotated Bibliography", Statistical Science 1986; its weights by expectation maximisation:
Dempster, Laird and Rubin, Journal of the Royal Statistical Society B 1977. Our definition: each
member has one example for free, which keeps a few examples from naming a sole winner.
"""

import numpy as np

from nas.ensembles.base import ENSEMBLES, Answers, Ensemble, of_right_class

_ROUNDS, _STILL = 1000, 1e-9
_LEAST = 1e-12  # a probability of 0 would be never forgiven
_SUM = 1e3  # how much more the sum of weights counts than an example


@ENSEMBLES.register("weighted")
class Weighted(Ensemble):
    """One weight a member, the same for all examples.

    Attributes:
        weights: Of the members, `(members,)`; equal before anything is fitted.
    """

    def __init__(self):
        self.weights: np.ndarray | None = None

    def fit(self, answers: Answers, labels: np.ndarray, *, seed: int) -> None:
        if answers.numbers:
            self.weights = _least_squares(answers.probabilities[..., 0], labels)
        else:
            self.weights = _likeliest(of_right_class(answers, labels))

    def combine(self, answers: Answers) -> np.ndarray:
        return np.tensordot(self.shares(answers), answers.probabilities, axes=1)

    def shares(self, answers: Answers) -> np.ndarray:
        members = len(answers.probabilities)
        return np.full(members, 1 / members) if self.weights is None else self.weights


def _likeliest(right: np.ndarray) -> np.ndarray:
    """Return the weights that make the right classes likeliest, of `(members, n)`."""
    members, count = right.shape
    right = np.maximum(right, _LEAST)
    weights = np.full(members, 1 / members)
    for _ in range(_ROUNDS):
        credit = weights[:, None] * right
        credit = (credit / credit.sum(0)).sum(1)
        after = (credit + 1) / (count + members)
        still = np.abs(after - weights).max() < _STILL
        weights = after
        if still:
            break
    return weights


def _least_squares(numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the weights of the least squared error, of `(members, n)`."""
    from scipy.optimize import nnls

    members, count = numbers.shape
    # each member's own number, and their mean, for free; the last row makes the sum one
    scale = max(float(np.abs(labels).max()), 1.0)
    free = np.eye(members) * labels.std()
    rows = np.vstack([numbers.T, free, np.full(members, _SUM * scale * count**0.5)])
    wanted = np.concatenate(
        [labels, np.full(members, labels.std() / members), [_SUM * scale * count**0.5]]
    )
    found, _ = nnls(rows, wanted)
    return found / found.sum()
