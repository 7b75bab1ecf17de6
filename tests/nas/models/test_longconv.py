"""Long convolutions equal a dense matrix, scipy's, and what the kernels say lag by lag."""

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve
from torch.testing import assert_close

from nas.models.mixers import longconv
from nas.models.mixers.longconv import LongConvolution, convolve, low_frequencies
from search_spaces import Architecture
from search_spaces.architectures.layers import Head
from search_spaces.errors import InvalidArchitecture


def column(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)[:, None]


def test_both_directions_lag_by_lag():
    signal = column(1, 2, 3, 4)[None]
    out = convolve(signal, column(1, 10, 100, 1000), column(2, 20, 200, 2000))
    # token 0: itself, then what is one, two and three later; token 3: what is earlier
    assert out[0, :, 0].tolist() == pytest.approx(
        [
            1 + 2 * 2 + 3 * 20 + 4 * 200,
            10 + 2 + 3 * 2 + 4 * 20,
            100 + 20 + 3 + 4 * 2,
            1000 + 200 + 30 + 4,
        ]
    )


@pytest.mark.parametrize("length", [1, 2, 7])
def test_the_transform_equals_the_matrix_and_scipy(length, monkeypatch):
    signal = torch.randn(2, length, 3, dtype=torch.float64, requires_grad=True)
    ahead, behind = (torch.randn(length, 3, dtype=torch.float64) for _ in range(2))
    fast = convolve(signal, ahead, behind)
    monkeypatch.setattr(longconv, "exporting", lambda: True)
    dense = convolve(signal, ahead, behind)
    assert_close(fast, dense)
    gradients = (torch.autograd.grad(y.pow(2).sum(), signal)[0] for y in (fast, dense))
    assert_close(*gradients)
    only_ahead = convolve(signal, ahead, torch.zeros_like(behind)).detach().numpy()
    theirs = fftconvolve(signal.detach().numpy(), ahead.numpy()[None], axes=1)[:, :length]
    np.testing.assert_allclose(only_ahead, theirs, atol=1e-12)


def test_kernels_end_after_their_taps_and_do_not_depend_on_the_length():
    mixer = LongConvolution(8, 2, 4, taps=3)
    kernel = mixer.forwards(6, 0)
    assert kernel[:3].abs().min() > 0
    assert kernel[3:].abs().max() == 0
    assert_close(mixer.forwards(3, 1), kernel[1:4])
    assert_close(mixer.forwards(4, 0), kernel[:4])


def test_tokens_beyond_the_reach_do_not_matter():
    mixer = LongConvolution(8, 2, 4, taps=2).eval()
    x = torch.randn(1, 9, 8)
    changed = x.clone()
    changed[0, 4] += 10
    differs = (mixer(x, None) - mixer(changed, None))[0].abs().amax(-1) > 1e-5
    # one tap to each side, and one more of the short convolution
    assert differs.nonzero().flatten().tolist() == [2, 3, 4, 5, 6]


def test_low_frequencies_are_those_of_the_published_code():
    ahead, nothing = column(1, 0.5, 0.25, 0.125), column(0, 0, 0, 0)
    kept = low_frequencies(ahead, nothing, 2 / 5, 4)  # two of the five of eight points
    out = convolve(column(1, 2, 3, 4)[None], *kept)[0, :, 0]
    assert out.tolist() == pytest.approx([0.95987, 2.93436, 4.56288, 4.89147], abs=5e-6)
    partly = convolve(column(1, 2, 3, 4)[None], column(1, 0.5, 0, 0), nothing)[0, :, 0]
    assert partly.tolist() == pytest.approx([1, 2.5, 4, 5.5])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_low_frequencies_are_those_of_a_fourier_transform(share):
    ahead, behind = (torch.randn(6, 3, dtype=torch.float64) for _ in range(2))
    spectrum = torch.fft.rfft(torch.cat([ahead, behind.flip(0)]), dim=0)
    spectrum[max(1, round(share * 7)) :] = 0
    circle = torch.fft.irfft(spectrum, n=12, dim=0)
    for length in (1, 4, 6, 9):
        found = low_frequencies(ahead, behind, share, length)
        wanted = torch.zeros(2, max(length, 6), 3, dtype=torch.float64)
        wanted[0, :6], wanted[1, :6] = circle[:6], circle[6:].flip(0)
        assert_close(torch.stack(found), wanted[:, :length])
    if share == 1:
        assert_close(low_frequencies(ahead, behind, share, 6), (ahead, behind))


def test_settings_are_checked_and_written_once():
    head = Head.parse("longconv(taps=64,filter=64)_4")
    assert str(head) == "longconv(taps=64)_4"
    with pytest.raises(InvalidArchitecture, match=r"filter is 0\. Allowed: a whole number above 0"):
        Head.parse("longconv(filter=0)_4")
    with pytest.raises(
        InvalidArchitecture, match=r"'order', which 'longconv'.*filter, taps, frequencies"
    ):
        Head.parse("longconv(order=2)_4")
    described = {"l": 1, "h": [8], "o": [["longconv(filter=16)_4"] * 2], "f": [[8]]}
    assert Architecture.from_dict(described).to_dict()["o"] == described["o"]
