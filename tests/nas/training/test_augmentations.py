"""Variation sets: as much text as before, the share that was asked for, and a detector."""

import dataclasses

import numpy as np
import pytest

from nas.data.preparation import prepare
from nas.data.tokenizer import CLS, Tokenizer
from nas.training.augmentations.variation_sets import composed, split_lines, variation_sets
from nas.training.augmentations.variations import is_variation, vary
from nas.training.augmentations.variations import variation_sets as detected
from nas.training.trial import run_trial

TEXT = """
the a man woman house tree river old small quick green happy saw put found went in on and now said
think very good bad stone bird night king letter road ship she they
"""
WORDS = TEXT.split()


def sentences(count, seed):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(5, 12))) + " ." for _ in range(count)]


@pytest.fixture(scope="module")
def text():
    return prepare(
        tasks={}, corpus=sentences(900, 0), vocabulary_size=120, max_length=16, block_length=32
    )


def members(text, share, order, seed=0):
    """Return (number of the set, tokens) of each line of the composed text, in order."""
    gap = 0 if order == "adjacent" else 2 * text.pretrain.shape[1]
    stream = composed(split_lines(text.pretrain), text.tokenizer_json, seed, share=share, gap=gap)
    found, total = [], 0
    while total < text.pretrain[:, 1:].size:
        ids, number = next(stream)
        found.append((number, ids))
        total += len(ids)
    return found


def test_a_share_of_nothing_is_the_same_text(text):
    found = variation_sets(text.pretrain, text.tokenizer_json, 0, share=0.0, order="adjacent")
    assert found.tobytes() == text.pretrain.tobytes()


@pytest.mark.parametrize("order", ["adjacent", "dispersed"])
@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 1.0])
def test_sets_have_their_share_and_the_text_its_size(text, share, order):
    found = variation_sets(text.pretrain, text.tokenizer_json, 0, share=share, order=order)
    assert found.shape == text.pretrain.shape
    assert found.dtype == text.pretrain.dtype
    assert (found[:, 0] == CLS).all()
    lines = members(text, share, order)
    inside = sum(len(ids) for number, ids in lines if number >= 0)
    share_found = inside / sum(len(ids) for _, ids in lines)
    # what of dispersed sets is still to come when the text ends is missing
    assert share_found == pytest.approx(share, abs=0.01 if order == "adjacent" else 0.03)
    again = variation_sets(text.pretrain, text.tokenizer_json, 0, share=share, order=order)
    other = variation_sets(text.pretrain, text.tokenizer_json, 1, share=share, order=order)
    assert np.array_equal(found, again)
    assert not np.array_equal(found, other)


def test_sets_stand_together_or_apart(text):
    for order in ("adjacent", "dispersed"):
        places, at = {}, 0
        for number, ids in members(text, 0.5, order):
            if number >= 0:
                places.setdefault(number, []).append((at, at + len(ids)))
            at += len(ids)
        between = [
            later[0] - earlier[1]
            for own in places.values()
            for earlier, later in zip(own, own[1:], strict=False)
        ]
        assert len(places) > 50
        if order == "adjacent":
            assert set(between) == {0}
            assert {len(own) for own in list(places.values())[:-1]} == {2, 3, 4, 5}
        else:
            assert min(between) >= text.pretrain.shape[1]


def test_lines_are_what_blocks_were_cut_from(text):
    lines = split_lines(text.pretrain)
    assert np.array_equal(np.concatenate(lines), text.pretrain[:, 1:].ravel())
    decoder = Tokenizer.from_json(text.tokenizer_json)
    assert decoder.decode(lines[0]).replace(".", " .").split() == sentences(900, 0)[0].split()


def test_a_variation_is_a_small_change():
    rng = np.random.default_rng(0)
    for line in sentences(200, 1):
        words = line.split()
        varied = vary(words, rng)
        assert varied != words
        assert abs(len(varied) - len(words)) <= 1
    assert vary(["no"], rng)[0] == "no" or "no" in vary(["no"], rng)


def test_the_detector_finds_what_was_planted_and_little_else():
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(300)] + WORDS
    lines, planted = [], set()
    for _ in range(150):
        line = list(rng.choice(words, rng.integers(6, 11), replace=False))
        if rng.random() < 0.5:
            planted.add(len(lines))
            lines += [" ".join(line), " ".join(vary(line, rng))]
        else:
            lines.append(" ".join(line))
    found = {one.start for one in detected(lines)}
    assert len(found & planted) >= 0.9 * len(planted)
    order = rng.permutation(len(lines))
    false = sum(len(one) for one in detected([lines[i] for i in order]))
    assert false < 0.1 * len(lines)
    assert not is_variation(["the", "same"], ["the", "same"])


def test_a_trial_reads_what_was_augmented(architecture, recipe, data):
    recipe = dataclasses.replace(recipe, tasks=("sst2",), pretrain_tokens=128)
    losses = {}
    for text in ("none", "variation-sets(share=0)", "variation-sets(share=0.8)"):
        changed = dataclasses.replace(recipe, slots={"augmentation": text})
        losses[text] = run_trial(architecture(), changed, data, seed=0).details["pretrain_loss"]
    plain, nothing, most = losses.values()
    assert plain == nothing
    assert plain != most
