"""Span convolution equals a loop over tokens and taps, and ConvBERT's convolution branch."""

import pytest
import torch
from torch.testing import assert_close
from transformers import ConvBertConfig
from transformers.models.convbert.modeling_convbert import ConvBertSelfAttention

from nas.models.mixers import make_mixer
from nas.models.mixers.convolution import banded

WIDTH, HEADS, HEAD_WIDTH = 6, 2, 4


def looped(mixer, x, keep, distances):
    """Token by token, tap by tap, only real tokens."""
    n, d, k = mixer.heads, mixer.head_width, mixer.kernel
    half, rows = k // 2, []
    for tokens, mask in zip(x, keep, strict=True):
        real = int(mask.sum())
        query, value = mixer.query_value(tokens).split(n * d, -1)
        out = []
        for i in range(real):
            around = [j for j in range(i - half, i + half + 1) if 0 <= j < real]
            depth = sum(tokens[j] * mixer.depthwise.weight[:, 0, j - i + half] for j in around)
            span = mixer.pointwise(depth) * query[i]
            taps = mixer.taps(span).view(n, k).softmax(-1)
            heads = []
            for h in range(n):
                part = slice(h * d, (h + 1) * d)
                head = sum(taps[h, j - i + half] * value[j, part] for j in around)
                if distances is not None:
                    length = (len(distances) + 1) // 2
                    scores = torch.stack(
                        [query[i, part] @ distances[j - i + length - 1] for j in range(real)]
                    )
                    weights = (scores / d**0.5).softmax(0)
                    head = head + sum(weights[j] * value[j, part] for j in range(real))
                heads.append(head)
            out.append(torch.cat(heads))
        rows.append(torch.stack(out))
    return rows


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("kernel", [3, 5, 9])
def test_agrees_with_a_loop(kernel, relative):
    mixer = make_mixer("c", kernel, WIDTH, HEADS, HEAD_WIDTH, relative=relative).double()
    distances = torch.randn(13, HEAD_WIDTH, dtype=torch.float64) if relative else None
    keep = torch.arange(7) < torch.tensor([7, 1, 4])[:, None]
    x = torch.randn(3, 7, WIDTH, dtype=torch.float64, requires_grad=True)
    ours = mixer(x, keep, distances)[keep]
    expected = torch.cat(looped(mixer, x, keep, distances))
    assert_close(ours, expected)
    weights = torch.randn_like(ours)
    inputs = [x, *mixer.parameters()]
    for a, b in zip(
        torch.autograd.grad((ours * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        assert_close(a, b)


@pytest.mark.parametrize("kernel", [5, 9])
def test_agrees_with_convbert(kernel):
    config = ConvBertConfig(
        hidden_size=16, num_attention_heads=4, head_ratio=2, conv_kernel_size=kernel
    )
    theirs = ConvBertSelfAttention(config).double().eval()
    heads, head_width = theirs.num_attention_heads, theirs.attention_head_size
    ours = make_mixer("c", kernel, 16, heads, head_width).double()
    with torch.no_grad():
        for p in theirs.parameters():
            p.normal_(std=0.4)
        ours.query_value.weight.copy_(
            torch.cat([theirs.query.weight, theirs.conv_out_layer.weight])
        )
        ours.query_value.bias.copy_(torch.cat([theirs.query.bias, theirs.conv_out_layer.bias]))
        separable = theirs.key_conv_attn_layer
        ours.depthwise.weight.copy_(separable.depthwise.weight)
        ours.pointwise.weight.copy_(separable.pointwise.weight.squeeze(-1))
        ours.pointwise.bias.copy_(separable.bias.squeeze(-1))
        ours.taps.load_state_dict(theirs.conv_kernel_layer.state_dict())
    x = torch.randn(3, 12, 16, dtype=torch.float64, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    mixed, expected = ours(x, None), theirs(y)[0][..., heads * head_width :]
    assert_close(mixed, expected)
    weights = torch.randn_like(mixed)
    (mixed * weights).sum().backward()
    (expected * weights).sum().backward()
    assert_close(x.grad, y.grad)
    assert_close(ours.depthwise.weight.grad, separable.depthwise.weight.grad)
    assert_close(ours.taps.weight.grad, theirs.conv_kernel_layer.weight.grad)


def test_banded_puts_each_kernel_around_its_token():
    taps = torch.arange(1.0, 13.0).view(1, 1, 4, 3)
    expected = [[2, 3, 0, 0], [4, 5, 6, 0], [0, 7, 8, 9], [0, 0, 10, 11]]
    assert_close(banded(taps)[0, 0], torch.tensor(expected, dtype=torch.float32))
