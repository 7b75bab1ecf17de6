"""Linear biases have the published slopes, are symmetric, and enter scores as a slow twin says."""

import math

import pytest
import torch
from torch.testing import assert_close
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor

from nas.models.mixers import make_mixer
from nas.models.positions.alibi import DistancePenalty, LinearBiases, slopes

TWELVE = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625]
TWELVE += [0.70710678, 0.35355339, 0.17677670, 0.08838835]


def test_slopes_are_as_published():
    assert_close(slopes(12), TWELVE)
    assert slopes(1) == [2**-8]
    assert slopes(8) == [2.0**-h for h in range(1, 9)]


@pytest.mark.parametrize("heads", [4, 8, 12])
def test_slopes_are_those_of_mpt(heads):
    theirs = build_mpt_alibi_tensor(heads, 5).reshape(heads, 5)
    assert_close(DistancePenalty(heads)(5)[:, -1], theirs)  # what the last token sees


def test_both_directions_count_alike_and_nothing_depends_on_the_place():
    penalty = DistancePenalty(3)(6)
    assert_close(penalty, penalty.mT)
    assert penalty.diagonal(dim1=1, dim2=2).abs().sum() == 0
    assert_close(penalty[:, 1:, 1:], DistancePenalty(3)(5))


@pytest.mark.parametrize("parameter", ["sdp", "wma"])
@pytest.mark.parametrize("train", [True, False])
def test_attention_is_that_of_a_slow_twin(parameter, train):
    mixer = make_mixer("sa", parameter, 6, 2, 3).double().eval()
    mixer.read_positions(LinearBiases(9))
    x = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    keep = torch.tensor([[True] * 4, [True, True, False, False]])
    with torch.set_grad_enabled(train):
        out, slow = mixer(x, keep), twin(mixer, x, keep)
    assert_close(out[keep], slow[keep])
    if train:
        fast, same = (torch.autograd.grad(y[keep].pow(3).sum(), x)[0] for y in (out, slow))
        assert_close(fast, same)


def twin(mixer, x, keep):
    query, key, value = mixer.query_key_value(x).chunk(3, -1)
    rows = []
    for b in range(len(x)):
        for i in range(x.shape[1]):
            for h, slope in enumerate(slopes(2)):
                of = slice(3 * h, 3 * h + 3)
                asked = query[b, i, of]
                if mixer.weighting is not None:
                    asked = asked @ mixer.weighting[h]
                reach = range(int(keep[b].sum()))
                scores = [asked @ key[b, j, of] / math.sqrt(3) - slope * abs(i - j) for j in reach]
                weights = torch.stack(scores).softmax(0)
                rows.append(sum(w * value[b, j, of] for w, j in zip(weights, reach, strict=True)))
    return torch.stack(rows).reshape(*x.shape[:2], 6)
