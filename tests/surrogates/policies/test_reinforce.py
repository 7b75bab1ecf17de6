"""The controller's logits are those of a gradient ascent on reward times log-likelihood."""

import numpy as np
import pytest
import torch

from search_spaces import FiniteSpace, load_space
from search_spaces.errors import PolicyError
from surrogates import make_policy
from surrogates.features.categories import Categories


@pytest.fixture(scope="module")
def table():
    return FiniteSpace(load_space("nas-bench-bert").sample(100, seed=0), name="table")


def test_logits_are_those_of_automatic_gradients(table):
    policy = make_policy("reinforce", table, options={"rate": 0.2, "memory": 0.5})
    categories, scores = Categories(table), [0.2, 0.9, 0.4, 0.7]
    told = table.architectures[:4]
    for architecture, glue in zip(told, scores, strict=True):
        policy.tell(architecture, {"glue": glue})
    places = (np.array(scores) - 0.2) / 0.7
    rewards = (places - places.mean()) / places.std()
    logits, baseline = {}, rewards[0]
    for architecture, reward in zip(told, rewards, strict=True):
        for name, (number, count) in categories.encode(architecture).items():
            row = logits.get(name, torch.zeros(count, dtype=torch.float64)).requires_grad_()
            (torch.log_softmax(row, 0)[number] * (reward - baseline)).backward()
            logits[name] = (row + 0.2 * row.grad).detach()
        baseline = 0.5 * baseline + 0.5 * reward
    found = policy.logits()
    assert found.keys() == logits.keys()
    for name, row in logits.items():
        assert found[name] == pytest.approx(row.numpy())


def test_rewarded_choices_become_likelier(table):
    policy = make_policy("reinforce", table)

    def wide(architecture):
        return float(architecture.layers[0].width == 256)

    for architecture in table.architectures[:50]:
        policy.tell(architecture, {"glue": wide(architecture)})
    logits = policy.logits()["0.width.0"]
    assert np.exp(logits[1] - logits[0]) > 4  # 256 against 128
    asked = policy.ask(20)
    left = [a for a in table.architectures[50:] if a not in asked]
    assert np.mean([wide(a) for a in asked]) > np.mean([wide(a) for a in left])


@pytest.mark.parametrize(("option", "value"), [("rate", 0), ("memory", 1.0)])
def test_options_are_checked(option, value, table):
    with pytest.raises(PolicyError, match=f"option {option} is {value}"):
        make_policy("reinforce", table, options={option: value})
