"""Networks trained together are networks trained apart; BANANAS samples from what they believe."""

import numpy as np
import pytest
import torch

from search_spaces import FiniteSpace, load_space
from search_spaces.errors import PolicyError
from surrogates import make_policy
from surrogates.features.one_hot import OneHotRows
from surrogates.models.mlp_ensemble import DECAY, NETWORKS, RATE, STEPS, MlpEnsemble, _initial


@pytest.fixture(scope="module")
def table():
    return FiniteSpace(load_space("nas-bench-bert").sample(120, seed=0), name="table")


@pytest.fixture(scope="module")
def targets(table):
    wide = np.array([sum(layer.width for layer in a.layers) for a in table], float)
    return (wide - wide.mean()) / wide.std()


def test_training_together_is_training_apart(table, targets):
    told, rest = table.architectures[:30], table.architectures[30:]
    rows, rng = OneHotRows(), np.random.default_rng(3)
    model = MlpEnsemble(rows)
    model.fit(told, targets[:30], np.random.default_rng(3))
    inputs = torch.as_tensor(model._columns(told), dtype=torch.float32)
    weights = _initial(inputs.shape[1], torch.Generator().manual_seed(int(rng.integers(2**31))))
    goal = torch.as_tensor(targets[:30], dtype=torch.float32)
    answers = []
    for i in range(NETWORKS):
        linears = []
        for w, b in zip(weights[::2], weights[1::2], strict=True):
            linear = torch.nn.Linear(w.shape[1], w.shape[2])
            linear.weight.data, linear.bias.data = w[i].detach().T.clone(), b[i, 0].detach().clone()
            linears += [linear, torch.nn.ReLU()]
        network = torch.nn.Sequential(*linears[:-1])
        optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        for _ in range(STEPS):
            optimiser.zero_grad()
            (network(inputs)[:, 0] - goal).abs().mean().backward()
            optimiser.step()
        with torch.no_grad():
            others = torch.as_tensor(model._columns(rest), dtype=torch.float32)
            answers.append(network(others)[:, 0].numpy())
    belief = model.believe(rest)
    # a sign of the absolute error that rounds the other way is a step apart
    assert belief.mean == pytest.approx(np.mean(answers, axis=0), abs=0.15)
    assert belief.epistemic == pytest.approx(np.std(answers, axis=0, ddof=1), abs=0.15)


def test_the_ensemble_learns_and_doubts_what_it_has_not_seen(table, targets):
    model = MlpEnsemble(OneHotRows())
    model.fit(table.architectures[:60], targets[:60], np.random.default_rng(0))
    known, unknown = (
        model.believe(part) for part in (table.architectures[:60], table.architectures[60:])
    )
    assert np.corrcoef(unknown.mean, targets[60:])[0, 1] > 0.9
    assert known.epistemic.mean() < unknown.epistemic.mean()


def test_candidates_are_mutants_of_the_best(table):
    policy = make_policy("bananas", table, options={"parents": 1, "initial": 3})
    told = table.architectures[:5]
    for i, architecture in enumerate(told):
        policy.tell(architecture, {"glue": 0.1 * i})
    assert set(policy.ask(4)) <= set(table.neighbours(told[-1]))


def test_bananas_predicts_in_units(table, score):
    policy = make_policy("bananas", table, {"loss": "min", "parameters": "min"})
    with pytest.raises(PolicyError, match="'bananas' has been told no result yet"):
        policy.predict(list(table)[:2])
    for a in table.architectures[:60]:
        policy.tell(a, {"loss": 3 - score(a)})
    found, rest = policy.predict(table.architectures[60:]), table.architectures[60:]
    truth = np.array([3 - score(a) for a in rest])
    assert np.abs(found["loss"].mean - truth).mean() < 0.1
    assert found["parameters"].mean.tolist() == [policy.exact("parameters", a) for a in rest]
    with pytest.raises(PolicyError, match="option mutants is 0; give a number"):
        make_policy("bananas", table, options={"mutants": 0})
