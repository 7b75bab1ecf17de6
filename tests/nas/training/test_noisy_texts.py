"""The objective E2S2: noise and its labels, losses by hand, what gets no gradient, a decoder."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nas.models.encoder import Encoder
from nas.models.heads import MaskedLanguageHead
from nas.training.objectives import NoisyTexts
from nas.training.objectives.e2s2 import mean_of_real
from nas.training.objectives.noise import IGNORED, noisy, with_gaps
from search_spaces import Architecture

VOCABULARY, MASK, SPECIAL = 3000, 4, 5
CPU = torch.device("cpu")
PLAIN = {"mask_rate": 0.15, "shuffle": 0.05, "replace": 0.05, "contrastive": 0.05,
         "detection": 0.05, "decoder": 0}  # fmt: skip


def text(rows, length=64, seed=0):
    blocks = np.random.default_rng(seed).integers(SPECIAL, VOCABULARY, (rows, length))
    blocks[:, 0], blocks[:, [length // 3, length - 1]] = 2, 3
    return blocks


def with_noise(blocks, *, gaps=0.15, shuffle=0.05, replace=0.05, seed=0):
    return noisy(
        blocks,
        gaps=gaps,
        shuffle=shuffle,
        replace=replace,
        vocabulary_size=VOCABULARY,
        rng=np.random.default_rng(seed),
    )


def build(**settings):
    torch.manual_seed(0)
    encoder = Encoder(
        Architecture.from_dict(
            {"l": 1, "o": ["sa"], "h": [8], "n": [2], "f": [[8]], "p": ["sdp"]}
        ),
        VOCABULARY,
        max_length=64,
        dropout=0.0,
    )  # fmt: skip
    head, term = MaskedLanguageHead(encoder), NoisyTexts(**{**PLAIN, **settings})
    term.begin(encoder, head, steps=1)
    return encoder, head, term


class Fixed(nn.Module):
    """An encoder whose hidden states are what it is given."""

    def __init__(self, states):
        super().__init__()
        self.states = nn.Parameter(states)

    def forward(self, tokens, keep=None):
        assert tokens.shape == self.states.shape[:2]
        return self.states


def test_gaps_hide_a_share_of_the_tokens_and_every_gap_is_one_token():
    blocks = text(400)
    blocks[7:9] = 2  # nothing to hide
    found = with_gaps(blocks, 0.15, np.random.default_rng(0))
    words = (blocks >= SPECIAL).sum(1)
    left = (found >= SPECIAL).sum(1)
    assert (words - left == np.round(0.15 * words)).all()
    gaps = (found == MASK).sum()
    assert (words - left).sum() / gaps == pytest.approx(2.6, abs=0.2)  # the last one is cut
    for row, own in zip(found[:50], blocks[:50], strict=True):
        kept = row[(row != MASK) & (row != 0)].tolist()
        rest = iter(own.tolist())
        assert all(token in rest for token in kept)  # in their order
        assert [t for t in kept if t < SPECIAL] == [t for t in own.tolist() if t < SPECIAL]
    assert (found != 0).sum(1).max() == found.shape[1]
    assert (with_gaps(blocks, 0.0, np.random.default_rng(0)) == blocks).all()


def test_labels_say_what_was_done_and_rates_are_those_set():
    batch = with_noise(text(2000), shuffle=0.06)
    tokens, plain, labels = batch.tokens.numpy(), batch.plain.numpy(), batch.labels.numpy()
    keep = batch.keep.numpy()
    assert keep.sum() > 1e5
    assert ((labels == IGNORED) == ~keep).all()
    assert ((labels == 0) == (keep & (tokens == plain))).all()
    special = plain < SPECIAL
    assert (tokens[special] == plain[special]).all()
    # two of five orders leave none of three in its place, the others one
    assert (labels == 1).sum() / keep.sum() == pytest.approx(0.06 * 0.8, abs=0.01)
    assert (labels == 2).sum() / keep.sum() == pytest.approx(0.05, abs=0.01)
    assert (tokens[labels == 2] >= SPECIAL).all()


@pytest.mark.parametrize("replace", [0.0, 0.5])
def test_shuffled_tokens_are_those_of_their_trigram(replace):
    batch = with_noise(text(100), replace=replace, shuffle=0.3)
    for row, own, labels in zip(batch.tokens, batch.plain, batch.labels, strict=True):
        moved = (labels == 1).nonzero().flatten()
        for place in moved.tolist():
            near = own[max(0, place - 2) : place + 3].tolist()
            assert int(row[place]) in near
        assert torch.equal(row[moved].sort().values, own[moved].sort().values)


@pytest.mark.parametrize("rates", [{}, {"gaps": 0.0}, {"shuffle": 0.0}, {"replace": 0.0}])
def test_noise_is_decided_by_the_seed(rates):
    one, same, other = (with_noise(text(6), seed=s, **rates) for s in (1, 1, 2))
    assert torch.equal(one.tokens, same.tokens)
    assert not torch.equal(one.labels, other.labels)
    if rates.get("gaps") == 0:
        assert torch.equal(one.plain, one.text)
    if "shuffle" in rates:
        assert not (one.labels == 1).any()
    if "replace" in rates:
        assert not (one.labels == 2).any()


def test_two_texts_of_one_direction_each_cost_the_published_value():
    """Orthonormal means at temperature 1, summed over both directions: 2 ln(1 + 2 / e)."""
    _, head, term = build(detection=0.0)
    batch = with_noise(text(2, 12))
    states = torch.zeros(4, batch.tokens.shape[1], 8)
    for row in range(4):
        states[row, :, row % 2] = 1.0
    states[~torch.cat([batch.keep, batch.keep])] = 7.0  # padding is in no mean
    _, contrast, _ = term.each(Fixed(states), head, batch)
    assert contrast.item() == pytest.approx(1.10289, abs=1e-5)
    (loss,) = term.losses(Fixed(states), head, batch, CPU, "fp32", 1)
    assert loss.item() == pytest.approx(0.05 * 1.10289, abs=1e-6)


def test_telling_noise_by_hand_reaches_every_class_and_no_padding():
    _, head, term = build(contrastive=0.0)
    blocks = text(40)
    blocks[:, 30:50] = 2  # what is never hidden makes texts with gaps of unlike lengths
    batch = with_noise(blocks, gaps=0.3, shuffle=0.1)
    assert not batch.keep.all()
    with torch.no_grad():
        term.modules["detector"].weight.zero_()
        term.modules["detector"].bias.copy_(torch.tensor([1.0, 2.0, 0.0]).log())
        term.modules["detector"].bias[2] = math.log(3.0)
    encoder = Fixed(torch.randn(*batch.tokens.shape, 8))
    detection, contrast, written = term.each(encoder, head, batch)
    counts = [int((batch.labels == kind).sum()) for kind in range(3)]
    assert all(counts)
    expected = sum(n * math.log(6 / (k + 1)) for k, n in enumerate(counts)) / sum(counts)
    assert detection.item() == pytest.approx(expected, rel=1e-5)
    assert (contrast.item(), written.item()) == (0.0, 0.0)
    with torch.no_grad():
        term.modules["detector"].weight.normal_()
    term.each(encoder, head, batch)[0].backward()
    reached = encoder.states.grad.abs().sum(-1) > 0
    assert torch.equal(reached, batch.keep)
    assert (term.modules["detector"].bias.grad.abs() > 0).all()


@pytest.mark.parametrize("missing", ["shuffle", "replace"])
def test_one_noise_alone_is_told_from_none_with_two_classes(missing):
    encoder, head, term = build(**{missing: 0.0})
    assert term.modules["detector"].out_features == 2
    batch = with_noise(text(8), **{missing: 0.0})
    term.each(encoder, head, batch)[0].backward()
    assert (term.modules["detector"].bias.grad.abs() > 0).all()


def test_without_its_own_losses_a_decoder_alone_is_left():
    """The mean over both versions; without shuffling and replacing, that of a text with gaps."""
    nothing = {"contrastive": 0.0, "detection": 0.0}
    encoder, head, term = build(decoder=1, **nothing)
    assert set(term.modules) == {"decoder"}
    encoder.eval()
    term.modules["decoder"].eval()
    batch = with_noise(text(4))
    (found,) = term.losses(encoder, head, batch, CPU, "fp32", 1)
    each = []
    for tokens in (batch.tokens, batch.plain):
        after = term.modules["decoder"](batch.text[:, :-1], encoder(tokens, batch.keep), batch.keep)
        rows = [F.cross_entropy(head(a), t) for a, t in zip(after, batch.text[:, 1:], strict=True)]
        each.append(sum(rows) / len(rows))
    assert found.item() == pytest.approx(sum(each).item() / 2, rel=1e-5)
    encoder, head, term = build(decoder=1, shuffle=0.0, replace=0.0, **nothing)
    same = next(term.batches(text(4), batch_size=4, vocabulary_size=VOCABULARY, seed=0, start=0))
    assert torch.equal(same.tokens, same.plain)


def test_a_decoder_sees_no_token_to_come_and_no_padding():
    _, _, term = build(decoder=2)
    decoder = term.modules["decoder"].eval()
    tokens, states = torch.randint(5, 50, (2, 9)), torch.randn(2, 7, 8)
    keep = torch.arange(7).expand(2, -1) < torch.tensor([[7], [4]])
    before = decoder(tokens, states, keep)
    later = tokens.clone()
    later[:, 5:] = 6
    torch.testing.assert_close(decoder(later, states, keep)[:, :5], before[:, :5])
    assert not torch.allclose(decoder(later, states, keep)[:, 5:], before[:, 5:])
    torch.testing.assert_close(decoder(tokens, states + 9.0 * ~keep[..., None], keep), before)


def test_a_few_steps_teach_the_encoder_to_tell_noise():
    encoder, head, term = build(mask_rate=0.0, shuffle=0.0, replace=0.3, detection=1.0)
    blocks = np.tile(np.arange(5, 17), (16, 1))  # always the same sentence
    parameters = [*encoder.parameters(), *term.modules["detector"].parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=0.02)
    stream = term.batches(blocks, batch_size=16, vocabulary_size=200, seed=0, start=0)
    for _ in range(40):
        batch = next(stream)
        optimizer.zero_grad()
        sum(term.losses(encoder, head, batch, CPU, "fp32", 1)).backward()
        optimizer.step()
    batch = next(stream)
    told = term.modules["detector"](encoder(batch.tokens, batch.keep)).argmax(-1)
    assert (told == batch.labels.clamp(max=1)).float().mean() > 0.9


def test_the_vector_of_a_text_is_the_mean_of_its_real_tokens():
    states = torch.tensor([[[1.0], [3.0], [9.0]], [[2.0], [5.0], [8.0]]])
    keep = torch.tensor([[True, True, False], [True, True, True]])
    assert mean_of_real(states, keep).flatten().tolist() == [2.0, 5.0]
