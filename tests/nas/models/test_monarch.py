"""Monarch matrices are a Fourier transform, and the mixer a sum over lags of what it says."""

import pytest
import torch
from torch.testing import assert_close

from nas.models.mixers.longconv import convolve
from nas.models.mixers.monarch import (
    MonarchMixer,
    convolve_by_matrices,
    factors,
    monarch_transform,
)


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (4, 16), (1, 2), (3, 5)])
def test_two_small_products_are_a_fourier_transform(rows, columns):
    x = torch.randn(3, rows * columns, 2, dtype=torch.float64)
    found = monarch_transform(x, rows, columns)
    wanted = torch.fft.fft(x, dim=1)
    # frequency c + rows * e stands in row c and column e
    assert (found.transpose(1, 2).flatten(1, 2) - wanted).abs().max() < 1e-10
    back = monarch_transform(found, rows, columns, inverse=True)
    assert (back - x).abs().max() < 1e-12


def test_factors_are_nearly_equal_powers_of_two():
    assert [factors(n) for n in (2, 6, 64, 100, 2048)] == [
        (1, 2),
        (2, 4),
        (8, 8),
        (8, 16),
        (32, 64),
    ]


@pytest.mark.parametrize("length", [1, 2, 7])
def test_the_convolution_is_that_of_the_fast_transform_with_gradients(length):
    signal = torch.randn(2, length, 3, dtype=torch.float64, requires_grad=True)
    sides = [torch.randn(length, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    both = [function(signal, *sides) for function in (convolve, convolve_by_matrices)]
    assert_close(*both)
    inputs = [signal, sides[0]] + ([sides[1]] if length > 1 else [])
    assert_close(*(torch.autograd.grad(y.square().sum(), inputs) for y in both))


@pytest.mark.parametrize("transform", ["fft", "matrices"])
def test_the_mixer_is_a_sum_over_lags_with_gradients(transform):
    mixer = MonarchMixer(6, 2, 2, filter=3, taps=4, transform=transform).double()
    with torch.no_grad():
        for p in mixer.parameters():
            p.normal_(std=0.5)
    x = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    projected = [mixer.projection.weight @ t + mixer.projection.bias for t in x]
    taps = mixer.short.weight[:, 0]
    zero = torch.zeros_like(projected[0])
    around = [zero, *projected, zero]
    short = [
        projected[i] + sum(taps[:, j] * around[i + j] for j in range(3)) for i in range(len(x))
    ]
    gates, openings, values = zip(*(s.split(4) for s in short), strict=True)
    opened = [a * b for a, b in zip(openings, values, strict=True)]
    plain = [p[8:] for p in projected]

    def summed(signal, forwards, backwards, i):
        ahead, behind = forwards(5, 0), backwards(5, 1)
        return sum(
            (ahead[i - j] if j <= i else behind[j - i - 1]) * signal[j] for j in range(len(x))
        )

    slow = torch.stack(
        [
            gates[i] * (summed(opened, mixer.forwards, mixer.backwards, i) + mixer.skip * opened[i])
            + summed(plain, mixer.plain_forwards, mixer.plain_backwards, i)
            for i in range(len(x))
        ]
    )
    fast = mixer(x[None], None)[0]
    assert_close(fast, slow)
    inputs = [x, *mixer.parameters()]
    assert_close(
        torch.autograd.grad(fast.square().sum(), inputs),
        torch.autograd.grad(slow.square().sum(), inputs),
    )
