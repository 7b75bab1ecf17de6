"""Natural-parameter moments against Monte Carlo; the loss and the network on noisy data."""

import pytest
import torch

from surrogates.boshnas.npn import (
    GaussianLinear,
    NaturalParameterNetwork,
    gaussian_loss,
    relu_moments,
    sigmoid_moments,
)

CASES = [(-2.0, 0.5), (-0.3, 1.0), (0.0, 0.2), (0.7, 2.0), (3.0, 0.4)]
DRAWS = 400_000


def draw(mean, variance):
    generator = torch.Generator().manual_seed(0)
    return mean + variance**0.5 * torch.randn(DRAWS, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("mean", "variance"), CASES)
@pytest.mark.parametrize(
    ("moments", "function"), [(relu_moments, torch.relu), (sigmoid_moments, torch.sigmoid)]
)
def test_moments_equal_monte_carlo(moments, function, mean, variance):
    first, second = moments(*(torch.tensor(v, dtype=torch.float64) for v in (mean, variance)))
    drawn = function(draw(mean, variance))
    # The formulas stand on a logistic approximation of the normal distribution function.
    assert first.item() == pytest.approx(drawn.mean().item(), abs=0.03)
    assert second.item() == pytest.approx(drawn.var().item(), abs=0.06)


def test_a_linear_layer_of_normal_weights_equals_monte_carlo():
    generator = torch.Generator().manual_seed(1)
    layer = GaussianLinear(3, 2, 1, generator)
    layer.weight_raw.data += 4  # variances large enough to be seen
    mean = torch.tensor([[[0.5, -1.0, 2.0]]], dtype=torch.float64)
    variance = torch.tensor([[[0.1, 0.3, 0.2]]], dtype=torch.float64)
    first, second = layer(mean, variance)
    spread = torch.nn.functional.softplus(layer.weight_raw).sqrt()
    shape = (100_000, 3, 2)
    weights = layer.weight + spread * torch.randn(shape, generator=generator, dtype=torch.float64)
    inputs = mean[0] + variance[0].sqrt() * torch.randn(
        (100_000, 3), generator=generator, dtype=torch.float64
    )
    drawn = torch.einsum("ni,nio->no", inputs, weights)
    assert torch.allclose(first[0, 0], drawn.mean(0), atol=0.03)
    assert torch.allclose(second[0, 0], drawn.var(0), rtol=0.05, atol=0.01)


def test_loss_by_hand():
    mean, variance, target = (torch.tensor([v]) for v in (0.5, 0.25, 1.0))
    expected = 0.5 * (10 * 0.25 / 0.25 + torch.tensor(0.25).log())
    assert gaussian_loss(mean, variance, target, 10.0).item() == pytest.approx(expected.item())


def test_the_network_finds_where_the_noise_is():
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand((200, 1), generator=generator, dtype=torch.float64) * 2 - 1
    noise = torch.where(rows[:, 0] > 0, 0.2, 0.01)
    normal = torch.randn(200, generator=generator, dtype=torch.float64)
    targets = (0.5 + 0.2 * rows[:, 0] + noise * normal).clamp(0, 1)
    # Unbounded: the moments of the logistic end leave a floor of about 0.013 under any variance.
    network = NaturalParameterNetwork(1, bounded=False, generator=generator)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(1000):
        optimiser.zero_grad()
        gaussian_loss(*network(rows), targets, 1.0).backward()
        optimiser.step()
    with torch.no_grad():
        mean, variance = network(torch.tensor([[-0.6], [0.6]], dtype=torch.float64))
    assert mean[0, 1] > mean[0, 0]
    assert variance[0, 1] > 4 * variance[0, 0]
