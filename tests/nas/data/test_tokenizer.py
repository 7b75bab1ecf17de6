"""Tokenizers: fixed special ids, the same training twice, pairs, cutting, and every message."""

import json
import time

import numpy as np
import pytest

from nas.data.tokenizer import CLS, MASK, PAD, SEP, UNK, Tokenizer, train_tokenizer
from search_spaces.errors import InvalidData, UnknownName

TEXTS = ["The cat sat on the mat.", "A dog barked at the cat.", "Dogs and cats sleep."] * 5


@pytest.fixture(params=["wordpiece", "bpe"])
def tokenizer(request):
    return train_tokenizer(TEXTS, 400, kind=request.param)


def test_special_tokens_never_move(tokenizer):
    assert (PAD, UNK, CLS, SEP, MASK) == (0, 1, 2, 3, 4)
    encoded = tokenizer.encode_batch(["the cat"], max_length=16)
    assert encoded.tokens[0] == CLS
    assert encoded.tokens[-1] == SEP


def test_training_twice_gives_the_same_tokenizer_and_json_gives_it_back(tokenizer):
    kind = "bpe" if tokenizer.vocabulary_size > 250 else "wordpiece"
    assert train_tokenizer(TEXTS, 400, kind=kind).json == tokenizer.json
    again = Tokenizer.from_json(tokenizer.json)
    mine, theirs = (t.encode_batch(TEXTS, max_length=20).tokens for t in (tokenizer, again))
    assert (mine == theirs).all()
    assert again.vocabulary_size == tokenizer.vocabulary_size


def test_text_survives(tokenizer):
    ids = tokenizer.encode_batch(["the cat sat on the mat."], max_length=64).tokens
    assert tokenizer.decode(ids).replace(" ", "") == "thecatsatonthemat."


def test_pairs_know_where_the_second_begins_and_are_cut(tokenizer):
    encoded = tokenizer.encode_batch(["the cat", "dogs"], ["sat on the mat", "bark"], max_length=7)
    lengths = np.diff(encoded.offsets)
    assert lengths.max() <= 7
    for i, start in enumerate(encoded.second_start):
        row = encoded.tokens[encoded.offsets[i] : encoded.offsets[i + 1]]
        assert row[start - 1] == SEP
        assert row[-1] == SEP
        assert (row == SEP).sum() == 2
    single = tokenizer.encode_batch(["the cat"], max_length=9)
    assert single.second_start[0] == single.offsets[1]


def test_running_text_ends_each_line(tokenizer):
    ids = tokenizer.encode_lines(["the cat", "dogs"])
    assert (ids == SEP).sum() == 2
    assert ids[-1] == SEP
    assert CLS not in ids


def test_what_cannot_be_trained_or_read_is_named():
    with pytest.raises(UnknownName, match="No kind of tokenizer is called 'word'"):
        train_tokenizer(TEXTS, 400, kind="word")
    with pytest.raises(InvalidData, match="There is no text to train a tokenizer on"):
        train_tokenizer(["  "], 400)
    with pytest.raises(InvalidData, match="A vocabulary of 10 is too small.*Allow at least"):
        train_tokenizer(TEXTS, 10)
    with pytest.raises(InvalidData, match="is no tokenizer"):
        Tokenizer.from_json("{}")
    moved = train_tokenizer(TEXTS, 400).json.replace('"[MASK]"', '"[HIDE]"')
    with pytest.raises(InvalidData, match=r"has no token \[MASK\]"):
        Tokenizer.from_json(moved)


def test_special_tokens_of_a_checkpoint_stand_elsewhere(tokenizer):
    vocabulary = json.loads(tokenizer.json)
    entries = vocabulary["model"]["vocab"]
    last = max(entries, key=entries.get)
    entries["[CLS]"], entries[last] = entries[last], entries["[CLS]"]
    vocabulary["added_tokens"] = []
    moved = Tokenizer.from_json(json.dumps(vocabulary))
    assert moved.special == (0, 1, entries["[CLS]"], 3, 4)
    found = moved.encode_batch(["good"], max_length=8)
    assert found.tokens[0] == entries["[CLS]"]
    assert found.tokens[-1] == 3
    tokenizer.require_trained_here()
    with pytest.raises(InvalidData, match=r"gives \[CLS\] the id \d+, and pre-training needs 2"):
        moved.require_trained_here()


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_a_word_of_megabytes_takes_seconds(kind):
    word = "".join(chr(97 + i * i % 7) for i in range(1_000_000))
    begun = time.perf_counter()
    trained = train_tokenizer([*TEXTS, word], 400, kind=kind)
    trained.encode_batch([word], max_length=32)
    assert time.perf_counter() - begun < 10
