"""Fourier heads equal numpy's and scipy's transforms of the real tokens, and FNet's layer."""

import numpy as np
import pytest
import scipy.fft
import torch
from torch.testing import assert_close
from transformers import FNetConfig
from transformers.models.fnet.modeling_fnet import FNetBasicFourierTransform

from nas.models.mixers import make_mixer
from nas.models.mixers.fourier import transform_matrices

WIDTH, HEADS, HEAD_WIDTH = 10, 2, 6


def numpy_dft(x):
    return np.fft.fft2(x, norm="ortho").real


def scipy_dct(x):
    return scipy.fft.dctn(x, type=2, norm="ortho")


def build(kind, **sizes):
    mixer = make_mixer("l", kind, *(sizes or {"w": WIDTH, "n": HEADS, "d": HEAD_WIDTH}).values())
    return mixer.double().eval()


@pytest.mark.parametrize(("kind", "oracle"), [("dft", numpy_dft), ("dct", scipy_dct)])
@pytest.mark.parametrize("longest", [9, 16, 130])
def test_each_sequence_is_transformed_over_its_real_tokens(kind, oracle, longest):
    mixer = build(kind)
    lengths = torch.tensor([longest, 1, 2, 7])
    x = torch.randn(4, longest, WIDTH, dtype=torch.float64)
    out = mixer(x, torch.arange(longest) < lengths[:, None])
    values = mixer.value(x).unflatten(-1, (HEADS, HEAD_WIDTH)).detach().numpy()
    for row, n in enumerate(lengths.tolist()):
        for head in range(HEADS):
            columns = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
            expected = torch.from_numpy(oracle(values[row, :n, head]))
            assert_close(out[row, :n, columns], expected, rtol=0, atol=1e-12)
    assert out[1, 1:].abs().max() == 0


@pytest.mark.parametrize("kind", ["dct", "dft"])
def test_the_size_of_the_values_is_kept(kind):
    mixer, x = build(kind), torch.randn(2, 12, WIDTH, dtype=torch.float64)
    values, out = mixer.value(x), mixer(x, None)
    if kind == "dct":
        assert_close(out.square().sum(), values.square().sum())
    else:
        assert out.square().sum() <= values.square().sum()


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_matrices_are_orthonormal(size):
    eye = torch.eye(size, dtype=torch.float64)
    dct, cos, sin = (
        transform_matrices(k, torch.tensor([size]), size)[0] for k in ("dct", "cos", "sin")
    )
    assert_close(dct @ dct.t(), eye)
    assert_close(cos @ cos.t() + sin @ sin.t(), eye)


def test_float32_is_exact_to_rounding_at_long_lengths():
    mixer = make_mixer("l", "dft", WIDTH, HEADS, HEAD_WIDTH).eval()
    x = torch.randn(1, 700, WIDTH)
    expected = mixer.double()(x.double(), None)
    assert_close(mixer.float()(x, None).double(), expected, rtol=0, atol=2e-6)


def test_agrees_with_fnet():
    # One head as wide as the layer and an identity projection is FNet's mixing, up to its scale.
    mixer = build("dft", w=12, n=1, d=12)
    with torch.no_grad():
        mixer.value.weight.copy_(torch.eye(12))
        mixer.value.bias.zero_()
    fnet = FNetBasicFourierTransform(FNetConfig(hidden_size=12))
    x = torch.randn(3, 11, 12, dtype=torch.float64, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    ours, theirs = mixer(x, None), fnet(y)[0] / (11 * 12) ** 0.5
    assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    assert_close(x.grad, y.grad)


@pytest.mark.parametrize("kind", ["dct", "dft"])
def test_relative_positions_add_attention_by_distance(kind):
    mixer = make_mixer("l", kind, WIDTH, HEADS, HEAD_WIDTH, relative=True).double().eval()
    lengths, longest = (5, 1, 3), 5
    keep = torch.arange(longest) < torch.tensor(lengths)[:, None]
    distances = torch.randn(2 * longest - 1, HEAD_WIDTH, dtype=torch.float64, requires_grad=True)
    x = torch.randn(3, longest, WIDTH, dtype=torch.float64, requires_grad=True)
    added = (mixer(x, keep, distances) - mixer(x, keep))[keep]
    query, value = (
        linear(x).unflatten(-1, (HEADS, HEAD_WIDTH)) for linear in (mixer.query, mixer.value)
    )
    expected = []
    for row, n in enumerate(lengths):
        for i in range(n):
            heads = []
            for h in range(HEADS):
                scores = [query[row, i, h] @ distances[j - i + longest - 1] for j in range(n)]
                weights = (torch.stack(scores) / HEAD_WIDTH**0.5).softmax(0)
                heads.append(sum(weights[j] * value[row, j, h] for j in range(n)))
            expected.append(torch.cat(heads))
    expected = torch.stack(expected)
    assert_close(added, expected)
    weights = torch.randn_like(added)
    inputs = [x, distances, *mixer.query.parameters()]
    for a, b in zip(
        torch.autograd.grad((added * weights).sum(), inputs, retain_graph=True),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        assert_close(a, b)


def both_ways(kind, backend):
    """Outputs and gradients of heads as they are and compiled, of padded sequences."""
    torch.manual_seed(0)
    mixer, x = build(kind).float(), torch.randn(3, 7, WIDTH)
    keep = torch.arange(7) < torch.tensor([7, 3, 5])[:, None]
    torch.compiler.reset()
    found = []
    for run in (mixer, torch.compile(mixer, backend=backend)):
        mixer.zero_grad()
        out = run(x, keep)[keep]
        out.square().sum().backward()
        found.append([out, *(p.grad for p in mixer.parameters())])
    return found


@pytest.mark.parametrize("kind", ["dft", "dct"])
def test_a_compiled_graph_looks_nothing_up(kind):
    """torch 2.13's compiler fails on rows of a table that the graph makes itself."""
    graphs = []

    def keeps(graph, inputs):
        graphs.append(graph.code)
        return graph.forward

    assert_close(*both_ways(kind, keeps))
    assert any("bmm" in code for code in graphs)
    assert not any("index_select" in code for code in graphs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dft", "dct"])
def test_the_compiler_of_torch_gives_the_same(kind):
    assert_close(*both_ways(kind, "inductor"), atol=1e-5, rtol=1e-4)
