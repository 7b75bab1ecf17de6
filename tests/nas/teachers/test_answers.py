"""Heads are weighed by what a task's answers lose without them, and stay by that."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from nas.data.batches import batches
from nas.teachers.answers import answers_first, heads_in_answers, layers_by_answers
from nas.teachers.calibration import calibrate


@pytest.fixture(scope="module")
def text(data):
    return [b.sequences for b in batches(data.tasks["stsb"]["train"], batch_size=16)]


@pytest.fixture(scope="module")
def whole(teacher):
    return teacher.build(max_length=32, pooling="mean").eval()


@pytest.fixture(scope="module")
def worth(whole, text):
    return calibrate(whole, text)


@pytest.fixture(scope="module")
def answer(whole):
    torch.manual_seed(3)
    head = torch.nn.Linear(32, 2)
    return lambda hidden, batch: head(whole.pool(hidden, batch.keep))


def test_effects_are_those_of_maps_without_the_head(whole, worth, text, answer):
    """The twin changes weights: a head's columns are zero, and its mean goes into the bias."""
    found = heads_in_answers(whole, answer, worth, text)
    assert [len(effect) for effect in found] == [4, 4, 4]
    with torch.no_grad():
        before = [answer(whole(b.tokens, b.keep, b.token_types), b) for b in text]
        for number, head in ((0, 1), (2, 3)):
            mixed, own = whole.layers[number].mixed, slice(8 * head, 8 * head + 8)
            kept = {name: value.clone() for name, value in mixed.state_dict().items()}
            mixed.bias += mixed.weight[:, own] @ worth[number].heads.mean[own]
            mixed.weight[:, own] = 0
            after = [answer(whole(b.tokens, b.keep, b.token_types), b) for b in text]
            mixed.load_state_dict(kept)
            changes = torch.cat(after) - torch.cat(before)
            assert_close(found[number][head], changes.square().sum(1).mean(), rtol=1e-3, atol=1e-9)
            assert found[number][head] > 0


def test_a_head_that_the_answers_rest_on_stays_longest(teacher, text, answer):
    """Of one layer's heads all but one hardly write anything."""
    encoder = teacher.build(max_length=32, pooling="mean").eval()
    with torch.no_grad():
        encoder.layers[1].mixed.weight[:, :16] *= 0.01
        encoder.layers[1].mixed.weight[:, 24:] *= 0.01
    worth = [replace(w, head_order=torch.tensor([0, 1, 3, 2])) for w in calibrate(encoder, text)]
    effects = heads_in_answers(encoder, answer, worth, text)
    assert effects[1].argmax() == 2
    assert answers_first(worth, effects)[1].kept_heads(1).tolist() == [2]


def test_what_answers_rest_on_goes_last_and_the_rest_as_it_could_before(worth):
    own = [replace(w, head_order=torch.tensor([3, 0, 1, 2])) for w in worth[:2]]
    found = answers_first(own, [torch.tensor([0.0, 5.0, 9.0, 0.1]), torch.zeros(4)])
    assert found[0].head_order.tolist() == [2, 1, 3, 0]
    assert found[1].head_order.tolist() == [3, 0, 1, 2]
    assert found[0].kept_heads(1).tolist() == [2]


def test_layers_stay_by_their_heads_and_the_last_one_always():
    effects = [torch.tensor([0.0, 3.0]), torch.tensor([1.0, 1.0]), torch.tensor([9.0, 0.0])]
    last = torch.tensor([0.0, 0.5])
    assert layers_by_answers([*effects, last]) == [(3,), (2, 3), (0, 2, 3), (0, 1, 2, 3)]
    assert layers_by_answers([*effects, last], fixed=[1])[0] == (1,)
    assert layers_by_answers([torch.zeros(2)] * 3) == [(2,), (1, 2), (0, 1, 2)]


def test_padding_has_no_part_in_calibration(teacher, text):
    """Of a batch that is half padding, moments are those of its tokens without any."""
    whole, batch = teacher.build(max_length=64, pooling="mean").eval(), text[0]
    more = torch.nn.functional.pad
    wider = {n: more(getattr(batch, n), (0, 16)) for n in ("tokens", "keep", "token_types")}
    padded = replace(batch, **wider)
    for mine, its in zip(calibrate(whole, [padded]), calibrate(whole, [batch]), strict=True):
        assert_close(mine.heads.second, its.heads.second, atol=1e-5, rtol=1e-4)
        assert_close(mine.feedforward.mean, its.feedforward.mean, atol=1e-5, rtol=1e-4)
