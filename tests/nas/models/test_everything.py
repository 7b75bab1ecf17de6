"""Kinds keep what they promise beside each other, in encoders drawn from a space of all of them."""

from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from nas.models.encoder import Encoder
from nas.models.outputs import make_output
from nas.models.transfer import inherit_weights
from search_spaces import count_parameters, load_space

VOCABULARY, LENGTH = 40, 12
DRAWN = load_space("everything-micro").sample(12, seed=3)
TOKENS = torch.randint(1, VOCABULARY, (3, LENGTH), generator=torch.Generator().manual_seed(0))
KEEP = torch.arange(LENGTH) < torch.tensor([LENGTH, 1, 7])[:, None]


def build(described, seed=0):
    torch.manual_seed(seed)
    encoder = Encoder(described, VOCABULARY, max_length=LENGTH, dropout=0.0).eval()
    return encoder, make_output(encoder).eval()


@pytest.mark.parametrize("described", DRAWN, ids=lambda a: a.short)
def test_size_and_padding(described):
    encoder, head = build(described)
    counted = count_parameters(
        described, vocabulary_size=VOCABULARY, max_length=LENGTH, masked_lm=True
    )
    assert sum(p.numel() for p in [*encoder.parameters(), *head.parameters()]) == counted
    out = encoder(TOKENS, KEEP)
    other = encoder(torch.where(KEEP, TOKENS, 0), KEEP)
    assert_close(out[KEEP], other[KEEP], atol=1e-5, rtol=1e-5)
    assert_close(encoder(TOKENS[2:, :7])[0], out[2, :7], atol=1e-4, rtol=1e-4)
    head(out[KEEP]).square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_they_inherit_from_each_other():
    for parent, child in pairwise(DRAWN):
        (encoder, head), (own, own_head) = build(parent), build(child, seed=1)
        tensors = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
        tensors |= {f"mlm.{k}": v for k, v in head.state_dict().items()}
        report = inherit_weights(own, child, parent, tensors, head=own_head)
        assert report.inherited > 500
        assert own(TOKENS, KEEP).isfinite().all()
