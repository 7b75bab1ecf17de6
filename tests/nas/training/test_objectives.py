"""Objectives of pre-training: a loss by hand, labels that a seed decides, no gradient elsewhere."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from nas.data.batches import mlm_batches
from nas.models.encoder import Encoder
from nas.models.heads import MaskedLanguageHead
from nas.training.micro_batches import split_masked
from nas.training.objectives import PRETRAINING_OBJECTIVES
from nas.training.objectives.mlm import MaskedTokens, masked_loss
from search_spaces import Architecture
from search_spaces.kinds import SLOTS

VOCABULARY = 40
RNG = np.random.default_rng(0)
BLOCKS = np.concatenate(
    [np.full((24, 1), 2), RNG.integers(5, VOCABULARY, (24, 11))], axis=1
)  # fmt: skip
BLOCKS[:, [5, 11]] = 3  # [SEP]: two lines in each block
CPU = torch.device("cpu")


def build(dropout=0.0):
    torch.manual_seed(0)
    encoder = Encoder(
        Architecture.from_dict(
            {"l": 2, "o": ["sa"] * 2, "h": [8] * 2, "n": [2] * 2, "f": [[8]] * 2, "p": ["sdp"] * 2}
        ),
        VOCABULARY,
        max_length=12,
        dropout=dropout,
    )  # fmt: skip
    return encoder, MaskedLanguageHead(encoder)


def make(name, **settings):
    kind = SLOTS["objective"].kinds[name]
    defaults = {key: setting.default for key, setting in kind.settings.items()}
    return PRETRAINING_OBJECTIVES[name](**{**defaults, **settings})


def batch_of(term, *, seed=1, start=0):
    return next(
        term.batches(BLOCKS, batch_size=6, vocabulary_size=VOCABULARY, seed=seed, start=start)
    )


def tensors(batch):
    return [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]


KINDS = sorted(PRETRAINING_OBJECTIVES)


@pytest.mark.parametrize("name", KINDS)
def test_batches_are_decided_by_the_seed_and_go_on_from_any_number(name):
    term = make(name)
    stream = term.batches(BLOCKS, batch_size=6, vocabulary_size=VOCABULARY, seed=1, start=0)
    found = [next(stream) for _ in range(6)]
    for number in (0, 3, 5):
        again = batch_of(term, start=number)
        assert all(map(torch.equal, tensors(found[number]), tensors(again)))
    other = batch_of(term, seed=2)
    assert not all(map(torch.equal, tensors(found[0]), tensors(other)))


@pytest.mark.parametrize("name", KINDS)
def test_a_step_moves_the_encoder_and_everything_of_its_own(name):
    encoder, head = build(dropout=0.1)
    term = make(name)
    term.begin(encoder, head, steps=10)
    torch.manual_seed(3)
    losses = list(term.losses(encoder, head, batch_of(term), CPU, "fp32", 1))
    sum(losses).backward()
    assert all(loss.ndim == 0 and loss.isfinite() for loss in losses)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.layers.parameters())
    for module in term.modules.values():
        for key, p in module.named_parameters():
            if "pooler" not in key:
                assert p.grad is not None, f"{name}: {key}"


@pytest.mark.parametrize("name", KINDS)
def test_parts_of_a_batch_add_up_to_the_whole(name):
    if name == "contrastive":
        pytest.skip("its negatives are those of the part")
    encoder, head = build()
    term = make(name)
    term.begin(encoder, head, steps=10)
    batch = batch_of(term)
    found = []
    for parts in (1, 3):
        torch.manual_seed(3)
        found.append(sum(term.losses(encoder, head, batch, CPU, "fp32", parts)).item())
    # what a generator draws depends on how the batch passes
    assert found[0] == pytest.approx(found[1], rel=0.2 if name == "rtd" else 1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_the_loss_of_text_held_out_is_alike_for_all(name):
    encoder, head = build(dropout=0.1)
    term = make(name)
    term.begin(encoder, head, steps=10)
    before = torch.get_rng_state()
    found = [
        term.validation_loss(encoder, head, BLOCKS, vocabulary_size=VOCABULARY, precision="fp32")
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert math.isfinite(found[0])
    assert torch.equal(before, torch.get_rng_state())


class Fixed(nn.Module):
    """An encoder whose hidden states are what it is given."""

    def __init__(self, states):
        super().__init__()
        self.states = nn.Parameter(states)

    def forward(self, tokens, keep=None, token_types=None, at=None):
        return self.states if at is None else self.states.flatten(0, 1)[at]


def test_masked_tokens_by_hand():
    """Two masked tokens: their cross entropy, and no gradient at any other place."""
    batch = next(mlm_batches(BLOCKS[:1], batch_size=1, vocabulary_size=VOCABULARY, mask_rate=0.15))
    states = torch.zeros(1, 12, VOCABULARY)
    encoder, targets = Fixed(states), batch.targets
    with torch.no_grad():
        encoder.states[0, batch.positions[0], targets[0]] = math.log(3)
    loss = masked_loss(encoder, nn.Identity(), batch, CPU)
    first = math.log(VOCABULARY + 2) - math.log(3)
    assert loss.item() == pytest.approx((first + math.log(VOCABULARY)) / 2, rel=1e-6)
    loss.backward()
    reached = encoder.states.grad[0].abs().sum(1).nonzero().flatten()
    assert torch.equal(reached, batch.positions)


def test_the_z_loss_is_the_square_of_the_log_of_the_denominator():
    batch = next(mlm_batches(BLOCKS[:1], batch_size=1, vocabulary_size=VOCABULARY, mask_rate=0.15))
    encoder = Fixed(torch.zeros(1, 12, VOCABULARY))
    plain = masked_loss(encoder, nn.Identity(), batch, CPU)
    with_z = masked_loss(encoder, nn.Identity(), batch, CPU, 0.5)
    assert (with_z - plain).item() == pytest.approx(0.5 * math.log(VOCABULARY) ** 2, rel=1e-6)


def test_the_share_of_masked_tokens_moves_on_a_line():
    term = MaskedTokens(0.5, final_rate=0.25)
    term.begin(None, None, steps=9)
    assert [term.rate(step) for step in (0, 4, 8, 20)] == [0.5, 0.375, 0.25, 0.25]
    assert not term.shares_start
    stream = term.batches(BLOCKS, batch_size=6, vocabulary_size=VOCABULARY, seed=0, start=0)
    counts = [len(next(stream).targets) for _ in range(9)]
    assert counts == [round(term.rate(step) * 72) for step in range(9)]
    assert len(batch_of(term, start=8).targets) == counts[8]


def test_all_parts_of_a_masked_batch_have_all_targets():
    batch = batch_of(make("mlm"))
    parts = list(split_masked(batch, 3))
    assert sum(len(part.targets) for part, _ in parts) == len(batch.targets)
