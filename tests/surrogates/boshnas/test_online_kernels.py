"""Compiled steps of one row against automatic gradients and torch's optimisers."""

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from surrogates.boshnas.npn import NaturalParameterNetwork, gaussian_loss
from surrogates.boshnas.online_kernels import natural_parameter_steps, perceptron_steps
from surrogates.boshnas.teacher_student import HIDDEN, Perceptron

STEPS, INPUTS, N = 40, 5, 7


@pytest.fixture
def material():
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(N, INPUTS)), rng.random(N)
    order = rng.integers(N, size=STEPS)
    return rng, rows, targets, order


def _vector(network):
    return parameters_to_vector(network.parameters()).detach().numpy().copy()


@pytest.mark.parametrize("adaptive", [True, False])
def test_a_perceptron_moves_as_by_automatic_gradients(material, adaptive):
    rng, rows, targets, order = material
    keep = (rng.random((STEPS, sum(HIDDEN))) >= 0.3) / 0.7
    network = Perceptron(INPUTS, 0.0, torch.Generator().manual_seed(1))
    weights = _vector(network)
    moments = np.zeros((2, len(weights)))
    widths = np.array([INPUTS, *HIDDEN, 1])
    for part in (slice(0, 15), slice(15, None)):  # in two parts: what is kept between them counts
        perceptron_steps(
            weights, moments, part.start, widths, rows, targets, order[part], keep[part], 0.01,
            adaptive,
        )  # fmt: skip
    kinds = torch.optim.AdamW if adaptive else torch.optim.SGD
    optimiser = kinds(network.parameters(), lr=0.01)
    for step, row in enumerate(order):
        x = torch.tensor(rows[row])
        split = torch.tensor(keep[step]).split(HIDDEN)
        for layer, kept in zip(network.layers[:-1], split, strict=True):
            x = torch.nn.functional.softplus(layer(x)) * kept
        optimiser.zero_grad()
        (torch.sigmoid(network.layers[-1](x))[0] - targets[row]).square().backward()
        optimiser.step()
    np.testing.assert_allclose(weights, _vector(network), atol=1e-9)


def test_a_natural_parameter_network_moves_as_by_automatic_gradients(material):
    _, rows, targets, order = material
    network = NaturalParameterNetwork(INPUTS, hidden=6, generator=torch.Generator().manual_seed(2))
    before, weights = _vector(network), _vector(network)
    moments = np.zeros((2, len(weights)))
    natural_parameter_steps(
        weights, moments, 0, np.array([INPUTS, 6, 6, 1]), rows, targets, order, 0.01, 10.0
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    for row in order:
        optimiser.zero_grad()
        found = network(torch.tensor(rows[[row]]))
        gaussian_loss(*found, torch.tensor(targets[row]), 10.0).backward()
        optimiser.step()
    assert np.abs(weights - before).max() > 0.1
    np.testing.assert_allclose(weights, _vector(network), atol=1e-7)
