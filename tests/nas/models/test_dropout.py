"""Dropout keeps the right share, the mean and the gradients, and follows the seed."""

import pytest
import torch
from torch.testing import assert_close

from nas.models.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_share_scale_and_gradient(p, dtype):
    x = torch.full((301, 333), 2.0, dtype=dtype, requires_grad=True)
    out = Dropout(p)(x)
    assert out.dtype == dtype
    dropped = (out == 0).float()
    assert abs(dropped.mean().item() - p) < 0.005
    assert (dropped.mean(0) - p).abs().max() < 0.15  # every column, every row
    assert (dropped.mean(1) - p).abs().max() < 0.15
    assert_close(out[out != 0], torch.full_like(out[out != 0], 2 / (1 - p)), rtol=1e-2, atol=0)
    out.sum().backward()
    assert_close(x.grad, out / 2)


def test_follows_the_seed():
    x, dropout, outputs = torch.ones(7, 5), Dropout(0.3), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(dropout(x))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_the_ends(p):
    x = torch.ones(4, 5)
    assert torch.equal(Dropout(p)(x), x * (1 - p))


def test_evaluation_changes_nothing():
    x = torch.randn(4, 5)
    assert Dropout(0.5).eval()(x) is x or torch.equal(Dropout(0.5).eval()(x), x)
