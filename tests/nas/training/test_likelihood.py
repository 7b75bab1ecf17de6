"""Pseudo-log-likelihoods against masking one token at a time, and what is preferred."""

import numpy as np
import pytest
import torch
from torch import nn

from nas.data.encoding import EncodedSplit
from nas.data.minimal_pairs import EncodedPairs
from nas.data.tokenizer import CLS, MASK, SEP
from nas.models.encoder import Encoder
from nas.models.outputs import make_output
from nas.training.likelihood import pair_accuracy, pair_hits, preferred, pseudo_log_likelihoods
from search_spaces import Architecture

SENTENCES = [[7, 8, 9], [9, 8], [10, 11, 12, 13, 14], [7, 9, 8], [5], []]
SMALL = {"l": 2, "o": ["sa", "c"], "h": [16] * 2, "n": [2] * 2, "f": [[16]] * 2, "p": ["sdp", 5]}


def split(sentences, labels=None):
    rows = [[CLS, *tokens, SEP] for tokens in sentences]
    lengths = [len(row) for row in rows]
    return EncodedSplit(
        np.array(sum(rows, []), np.uint16),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.array(lengths, np.int32),
        np.zeros(len(rows), np.float32) if labels is None else np.array(labels, np.float32),
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    encoder = Encoder(Architecture.from_dict(SMALL), 20, max_length=16, dropout=0.5)
    head = make_output(encoder)
    nn.init.normal_(head.bias)
    return encoder, head


@torch.no_grad()
def slow(encoder, head, tokens):
    """One token masked at a time, alone in its batch, every place through the head."""
    whole, total = [CLS, *tokens, SEP], 0.0
    for place, token in enumerate(tokens, 1):
        hidden = list(whole)
        hidden[place] = MASK
        logits = head(encoder(torch.tensor([hidden]))[0, place][None])[0]
        total += float(logits[token] - logits.exp().sum().log())
    return total


@pytest.mark.parametrize("batch_tokens", [1, 12, 10_000])
def test_it_is_the_sum_of_masked_tokens_whatever_the_batches(model, batch_tokens):
    found = pseudo_log_likelihoods(*model, split(SENTENCES), batch_tokens=batch_tokens)
    for module in model:
        module.eval()
    expected = [slow(*model, tokens) for tokens in SENTENCES]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found[-1] == 0
    assert len(set(np.round(found, 4))) == len(SENTENCES)


class Uniform(nn.Module):
    def forward(self, hidden):
        return torch.zeros(len(hidden), 20)


def test_a_model_that_knows_nothing_scores_a_half(model):
    pairs = EncodedPairs(("a", "b"), split([[7, 8], [9, 6], [5, 6], [6, 5]], [0, 0, 1, 1]))
    assert pair_accuracy(model[0], Uniform(), pairs) == 0.5


def test_files_count_alike_and_ties_are_half_right(model):
    assert preferred(np.array([-3.0, -4, -4, -3, -2, -2])).tolist() == [1, 0, 0.5]
    labels = [0, 0, 0, 0, 0, 0, 1, 1]
    pairs = EncodedPairs(("a", "b"), split([[7, 8], [9, 9, 6, 7, 8, 12]] * 4, labels))
    hits = pair_hits(*model, pairs)
    assert [len(part) for part in hits] == [3, 1]
    likely = pseudo_log_likelihoods(*model, pairs.sentences)
    assert [part.tolist() for part in hits] == [[float(likely[0] > likely[1])] * n for n in (3, 1)]


def test_dropout_is_off_and_the_answer_is_the_same_twice(model):
    model[0].train()
    first = pseudo_log_likelihoods(*model, split(SENTENCES))
    model[0].train()
    assert (first == pseudo_log_likelihoods(*model, split(SENTENCES))).all()
