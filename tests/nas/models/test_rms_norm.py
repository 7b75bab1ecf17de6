"""The root-mean-square norm equals its formula, and that of the LLaMA encoders of transformers."""

import torch
from torch.testing import assert_close
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from nas.models.norms.rms import EPSILON, RootMeanSquareNorm


def test_it_is_its_formula_with_gradients():
    norm, x = RootMeanSquareNorm(6).double(), torch.randn(2, 3, 6, dtype=torch.float64)
    with torch.no_grad():
        norm.weight.normal_()
    x.requires_grad_()
    slow = x / (x * x).mean(-1, keepdim=True).add(EPSILON).sqrt() * norm.weight
    assert_close(norm(x), slow)
    fast, same = (torch.autograd.grad(y.pow(3).sum(), x)[0] for y in (norm(x), slow))
    assert_close(fast, same)


def test_it_is_that_of_llama():
    ours, theirs, x = RootMeanSquareNorm(6), LlamaRMSNorm(6, eps=EPSILON), torch.randn(2, 3, 6)
    assert_close(ours(x), theirs(x))


def test_the_size_of_its_input_does_not_matter_and_its_mean_does():
    norm, x = RootMeanSquareNorm(6), torch.randn(4, 6)
    assert_close(norm(8 * x), norm(x), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(norm(x + 1), norm(x), atol=0.1)
