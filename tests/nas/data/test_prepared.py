"""Prepared data: blocks, encoded tasks, and a folder that gives them back."""

import dataclasses
import json

import numpy as np
import pytest

from nas.data import blocks
from nas.data.preparation import prepare, prepare_tasks
from nas.data.prepared import PreparedData
from nas.data.tables import Split, TaskData
from nas.data.tokenizer import CLS, SEP, train_tokenizer
from search_spaces.errors import InvalidData

LINES = [f"the {a} dog sees a {b} cat near tree {i}" for i in range(60) for a in "xy" for b in "uv"]


def make_tasks():
    pair = TaskData(
        "rte",
        train=Split(LINES[:50], LINES[50:100], np.arange(50) % 2),
        dev={"dev": Split(["a dog", "zebra"], ["a cat", "the tree"], np.array([0, 1]))},
    )
    single = TaskData(
        "cola",
        train=Split(LINES[:30], None, np.arange(30) % 2),
        dev={"dev": Split(["a dog"], None, np.array([1]))},
    )
    return {"rte": pair, "cola": single}


def prepare_small(**options):
    defaults = {"tasks": make_tasks(), "corpus": LINES, "vocabulary_size": 120}
    return prepare(**(defaults | {"max_length": 32, "block_length": 12} | options))


def test_blocks_hold_the_corpus_in_order_without_padding():
    data = prepare_small()
    blocks = np.concatenate([data.pretrain, data.validation])
    assert blocks.shape[1] == 12
    assert (blocks[:, 0] == CLS).all()
    stream = data.tokenizer.encode_lines(LINES)
    assert blocks[:, 1:].ravel().tolist() == stream[: blocks[:, 1:].size].tolist()
    assert len(stream) - blocks[:, 1:].size < 11
    assert len(data.validation) == round(0.05 * len(blocks))


def test_corpus_tokens_limit_the_stream():
    data = prepare_small(corpus_tokens=220)
    assert len(data.pretrain) + len(data.validation) == 20


def test_examples_decode_to_their_sentences():
    data = prepare_small()
    split = data.tasks["rte"]["train"]
    ids = split.tokens[split.offsets[3] : split.offsets[4]]
    second = ids[split.second_start[3] :]
    assert ids[0] == CLS
    assert ids[-1] == SEP
    assert ids[split.second_start[3] - 1] == SEP
    assert data.tokenizer.decode(second) == LINES[53]
    assert split.labels.tolist() == [0, 1] * 25
    single = data.tasks["cola"]["dev"]
    assert single.second_start[0] == single.offsets[1] == len(single.tokens)
    assert split.tokens.dtype == np.uint16


def test_long_examples_are_cut():
    data = prepare_small(max_length=8)
    assert np.diff(data.tasks["rte"]["train"].offsets).max() == 8


def test_development_sentences_do_not_reach_the_tokenizer():
    tasks = make_tasks()
    dev = {"dev": Split(["qqq qqq qqq"] * 50, ["qqq qqq"] * 50, np.zeros(50, int))}
    changed = tasks | {"rte": dataclasses.replace(tasks["rte"], dev=dev)}
    assert prepare_small(tasks=changed).tokenizer_json == prepare_small().tokenizer_json


def test_examples_are_limited_by_seed():
    few = [prepare_small(max_train_examples=10, max_dev_examples=1, seed=s) for s in (0, 0, 1)]
    assert [len(f.tasks["rte"]["train"]) for f in few] == [10] * 3
    assert [len(f.tasks["rte"]["dev"]) for f in few] == [1] * 3
    tokens = [f.tasks["rte"]["train"].tokens.tolist() for f in few]
    assert tokens[0] == tokens[1] != tokens[2]


def test_a_model_that_is_pretrained_already_gets_the_examples_that_its_search_drew():
    limits = {"max_train_examples": 10, "max_dev_examples": 1, "seed": 1, "max_length": 32}
    searched = prepare_small(**limits)
    again = prepare_tasks(make_tasks(), searched.tokenizer, **limits)
    assert (len(again.pretrain), len(again.validation)) == (0, 0)
    for name, splits in searched.tasks.items():
        for split, examples in splits.items():
            assert again.tasks[name][split].tokens.tolist() == examples.tokens.tolist()
            assert again.tasks[name][split].labels.tolist() == examples.labels.tolist()


def test_without_a_corpus_the_training_sentences_are_the_corpus():
    data = prepare_small(corpus=None)
    stream = data.tokenizer.encode_lines(LINES[:100] + LINES[:30])
    assert data.pretrain[:, 1:].ravel().tolist() == stream[: data.pretrain[:, 1:].size].tolist()


@pytest.mark.parametrize("mmap", [True, False])
def test_a_saved_folder_gives_the_same_data(tmp_path, mmap):
    data = prepare_small()
    data.save(tmp_path / "prepared")
    again = PreparedData.load(tmp_path / "prepared", mmap=mmap)
    assert again.tokenizer_json == data.tokenizer_json
    assert again.vocabulary_size == data.vocabulary_size == data.tokenizer.vocabulary_size
    np.testing.assert_array_equal(again.pretrain, data.pretrain)
    np.testing.assert_array_equal(again.validation, data.validation)
    assert list(again.tasks) == ["rte", "cola"]
    for name, splits in data.tasks.items():
        assert list(again.tasks[name]) == list(splits)
        for split, encoded in splits.items():
            for field in dataclasses.fields(encoded):
                np.testing.assert_array_equal(
                    getattr(again.tasks[name][split], field.name), getattr(encoded, field.name)
                )


def test_too_little_text_is_an_error():
    with pytest.raises(InvalidData, match=r"gives \d+ tokens, .* two blocks of 500"):
        prepare_small(corpus=LINES[:3], block_length=500)


def test_a_folder_without_an_index_is_an_error(tmp_path):
    with pytest.raises(InvalidData, match=r"holds no prepared data .* Prepare it again"):
        PreparedData.load(tmp_path)


def test_a_folder_of_another_version_is_an_error(tmp_path):
    (tmp_path / "prepared.json").write_text(json.dumps({"version": 99}))
    with pytest.raises(InvalidData, match="format 99; this version reads 1"):
        PreparedData.load(tmp_path)


def test_a_missing_array_is_an_error(tmp_path):
    prepare_small().save(tmp_path)
    (tmp_path / "rte.dev.labels.npy").unlink()
    with pytest.raises(InvalidData, match=r"rte\.dev\.labels\.npy cannot be read"):
        PreparedData.load(tmp_path)


def test_a_corpus_that_memory_does_not_hold_is_refused_while_it_is_read(monkeypatch):
    monkeypatch.setattr(blocks, "available_memory", lambda: 1000)
    with pytest.raises(InvalidData, match=r"too many for the 0\.0 GB.*{corpus_tokens: \d+}"):
        prepare_small()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no tokenizer", "is no tokenizer"),
        ("{}", "is no tokenizer"),
        (None, r"has \d+ ids"),
    ],
)
def test_a_tokenizer_that_is_none_or_another_is_refused(text, said, tmp_path):
    prepare_small().save(tmp_path)
    if text is None:
        text = train_tokenizer(["quite another text"], 200).json
    (tmp_path / "tokenizer.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidData, match=rf"tokenizer\.json cannot be read \(.*{said}"):
        PreparedData.load(tmp_path)
