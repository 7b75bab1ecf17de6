"""Weights by a policy: whom to trust depends on the text and on what is known of its words.

Source: Tyagi, Sarkar and Gaur, "Leveraging Knowledge and Reinforcement Learning for Enhanced
Reliability of Language Models", CIKM 2023 (vectors of knowledge graphs beside the members', weights
by reward); the gradient: Williams, "Simple Statistical Gradient-Following Algorithms for
Connectionist Reinforcement Learning", Machine Learning 1992.
Our definition: the state is the members' vectors
and the mean vector of what is known of the words; the policy is a softmax of a linear map; an
action is one member; the reward is 1 for a right answer, and a little of the logarithm of the
right class's probability (of a number, 1 where it is nearer to the label than half a deviation,
and a little of the squared error); the answer is the mean that the policy weighs.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nas.ensembles.base import ENSEMBLES, Answers, Ensemble, Standard, of_right_class

if TYPE_CHECKING:  # a shell that completes names of kinds is not to wait for torch
    import torch
    from torch import Tensor

STEPS, BATCH = 600, 32
RATE, BASELINE_DECAY, ENTROPY = 5e-2, 0.95, 0.01
SHRINK = 0.003  # of the map, without its constant: a state must earn its say
SHAPING, LOWEST = 0.1, -7.0  # weight and floor of the logarithm


@ENSEMBLES.register("bandit")
class Bandit(Ensemble):
    """A policy over members, learnt by REINFORCE with a moving baseline."""

    def fit(self, answers: Answers, labels: np.ndarray, *, seed: int) -> None:
        import torch

        from nas.training.seeds import torch_seed

        self._standard = Standard(_facts(answers))
        rewards = torch.from_numpy(rewards_of(answers, labels))
        self._map = reinforce(
            self._states(answers),
            lambda rows, actions: rewards[actions, rows],
            arms=len(answers.probabilities),
            steps=STEPS,
            batch=BATCH,
            entropy=ENTROPY,
            shrink=SHRINK,
            generator=torch.Generator().manual_seed(torch_seed(seed)),
        )

    def combine(self, answers: Answers) -> np.ndarray:
        return np.einsum("nm,mnc->nc", self._policy(answers), answers.probabilities)

    def shares(self, answers: Answers) -> np.ndarray:
        return self._policy(answers).mean(0)

    def _policy(self, answers: Answers) -> np.ndarray:
        return (self._states(answers) @ self._map.T).softmax(1).numpy()

    def _states(self, answers: Answers) -> "Tensor":
        """Return rows that begin with 1 and whose other columns have a length of about 1."""
        import torch

        facts = self._standard(_facts(answers)) / max(1, len(self._standard.mean)) ** 0.5
        return torch.from_numpy(np.concatenate([np.ones((len(facts), 1)), facts], 1))


def _facts(answers: Answers) -> np.ndarray:
    return np.concatenate([answers.vectors, answers.knowledge], 1)


def rewards_of(answers: Answers, labels: np.ndarray) -> np.ndarray:
    """Return what each member earns with each example, `(members, n)`."""
    if answers.numbers:
        errors = (answers.probabilities[..., 0] - labels) / (labels.std() or 1.0)
        return (np.abs(errors) < 0.5) - SHAPING * np.minimum(errors**2, -LOWEST)
    right = of_right_class(answers, labels)
    hit = answers.probabilities.argmax(2) == labels
    return hit + SHAPING * np.maximum(np.log(np.maximum(right, 1e-12)), LOWEST)


def reinforce(
    states: "Tensor",
    reward: "Callable[[Tensor, Tensor], Tensor]",
    *,
    arms: int,
    steps: int,
    batch: int,
    entropy: float,
    shrink: float,
    generator: "torch.Generator",
) -> "Tensor":
    """Return the map `(arms, features)` of a policy that earns much.

    Args:
        states: Rows `(n, features)` to draw from; the first column is 1.
        reward: Gives what actions `(batch,)` earn in the states at rows `(batch,)`.
        arms: How many actions there are.
        steps: Of Adam.
        batch: States in a step; all of them where there are no more.
        entropy: Weight of the policy's entropy, which keeps it trying.
        shrink: Weight of the map's squares, without the first column.
        generator: Draws states and actions.
    """
    import torch

    weights = torch.zeros(arms, states.shape[1], dtype=states.dtype, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=RATE)
    baseline = 0.0
    for _ in range(steps):
        rows = torch.arange(len(states))
        if batch < len(states):
            rows = torch.randint(len(states), (batch,), generator=generator)
        chances = (states[rows] @ weights.T).log_softmax(1)
        actions = torch.multinomial(chances.detach().exp(), 1, replacement=True,
                                    generator=generator)  # fmt: skip
        earned = reward(rows, actions.squeeze(1))
        baseline = BASELINE_DECAY * baseline + (1 - BASELINE_DECAY) * float(earned.mean())
        loss = -((earned - baseline) * chances.gather(1, actions).squeeze(1)).mean()
        loss = loss + entropy * (chances.exp() * chances).sum(1).mean()
        loss = loss + shrink * weights[:, 1:].square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weights.detach()
