"""Norms without a norm and in low precision equal their formulas; biases can be left out."""

import warnings

import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers.models.mobilebert.modeling_mobilebert import NoNorm as TheirNoNorm

from nas.models.norms import make_norm
from search_spaces.parts import Part


def test_no_norm_is_that_of_mobilebert_and_starts_as_the_identity():
    ours, theirs, x = make_norm(Part("none"), 6), TheirNoNorm(6), torch.randn(2, 3, 6)
    assert torch.equal(ours(x), x)
    with torch.no_grad():
        ours.weight.normal_()
        ours.bias.normal_()
    theirs.load_state_dict(ours.state_dict())
    assert_close(ours(x), theirs(x))


def test_low_precision_is_the_usual_norm_outside_of_autocast():
    norm, x = make_norm(Part("low-precision-layer"), 6), torch.randn(2, 6)
    assert torch.equal(norm(x), make_norm(Part("layer"), 6)(x))


def test_under_autocast_it_stays_in_the_type_of_autocast():
    norm, x = make_norm(Part("low-precision-layer"), 6), torch.randn(2, 6).bfloat16()
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    low = norm.weight.bfloat16(), norm.bias.bfloat16()
    by_hand = F.layer_norm(x, (6,), *low, 1e-12)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(norm(x), by_hand)
        assert norm(x.float()).dtype == torch.bfloat16
        norm(x).float().square().sum().backward()
    assert norm.weight.grad.dtype == torch.float32
    assert norm.weight.grad.isfinite().all()


def test_a_bias_can_be_left_out():
    norm = make_norm(Part.parse("layer(bias=none,epsilon=0.001)"), 6)
    assert [n for n, _ in norm.named_parameters()] == ["weight"]
    x = torch.randn(3, 6)
    assert_close(norm(x).mean(-1), torch.zeros(3))
    spread = (x - x.mean(-1, keepdim=True)) / (
        x.var(-1, keepdim=True, unbiased=False) + 1e-3
    ).sqrt()
    assert_close(norm(x), spread)


def test_rms_in_bfloat16_takes_the_fused_kernel_and_is_near():
    norm, x = make_norm(Part("rms"), 8), torch.randn(2, 3, 8)
    torch.nn.init.normal_(norm.weight)
    exact = x / (x.pow(2).mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight
    torch.testing.assert_close(norm(x), exact)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low = norm(x.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), exact, atol=0.05, rtol=0.02)
