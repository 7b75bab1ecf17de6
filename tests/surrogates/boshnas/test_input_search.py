"""AdaHessian against a step done by hand, Hutchinson against exact diagonals, and climbing."""

import math

import pytest
import torch

from surrogates.boshnas.input_search import AdaHessian, climb, slope_and_curvature


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.golden
def test_two_steps_by_hand():
    optimiser, rate = AdaHessian((1,)), 0.5
    first = optimiser.step(tensor(2.0), tensor(-4.0), rate)
    assert first.item() == pytest.approx(0.5 * 2 / (4 + 1e-4))
    m = (0.9 * 0.1 * 2 + 0.1 * 1) / (1 - 0.9**2)
    q = (0.999 * 0.001 * 16 + 0.001 * 9) / (1 - 0.999**2)
    second = optimiser.step(tensor(1.0), tensor(3.0), rate)
    assert second.item() == pytest.approx(rate * m / (math.sqrt(q) + 1e-4))


def test_curvature_of_a_separable_function_is_exact():
    points = torch.randn((5, 3), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope, curvature = slope_and_curvature(
        lambda x: (x**4).sum(1), points, torch.Generator().manual_seed(1)
    )
    assert torch.allclose(slope, 4 * points**3)
    assert torch.allclose(curvature, 12 * points**2)


def test_curvature_of_a_coupled_function_is_right_on_average():
    matrix = torch.tensor([[3.0, 1.0], [1.0, 5.0]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    points = torch.zeros((2000, 2), dtype=torch.float64)
    _, curvature = slope_and_curvature(
        lambda x: 0.5 * torch.einsum("ni,ij,nj->n", x, matrix, x), points, generator
    )
    assert torch.allclose(curvature.mean(0), matrix.diagonal(), atol=0.1)


@pytest.mark.parametrize("second_order", [True, False])
def test_climbing_ends_at_the_top_inside_the_box(second_order):
    top = tensor(0.3, 2.0)  # the second coordinate lies outside the box
    starts = torch.rand((4, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ends = climb(
        lambda x: -((x - top) ** 2).sum(1),
        starts,
        tensor(0.0, 0.0),
        tensor(1.0, 1.0),
        [0.2] * 80,
        torch.Generator().manual_seed(0),
        second_order=second_order,
    )
    assert torch.allclose(ends, tensor(0.3, 1.0).expand(4, 2), atol=0.03)
