"""glue-mini: the same bytes for a seed, the official layout, balanced, and nothing leaks."""

import hashlib

import numpy as np
import pytest

from nas.data.glue import available_tasks, read_task
from nas.data.glue_mini import write_glue_mini
from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.tasks.acceptability import _order
from nas.data.glue_mini.tasks.words import Words
from nas.evaluation.suites.glue import GLUE


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    return write_glue_mini(tmp_path_factory.mktemp("mini") / "glue-mini", seed=0, size=0.3)


def digest(directory):
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*.*")):
        if path.is_file():
            total.update(path.relative_to(directory).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


@pytest.mark.golden
def test_the_same_seed_gives_the_same_bytes(tmp_path):
    tiny = write_glue_mini(tmp_path / "tiny", seed=7, size=0.02)
    assert digest(tiny) == ("526c6dd3981ba7deba1bab356f4e9359e2b683e9f9ba4323b68d08d1c3230dcb")
    assert digest(write_glue_mini(tmp_path / "again", seed=7, size=0.02)) == digest(tiny)
    assert digest(write_glue_mini(tmp_path / "other", seed=1, size=0.02)) != digest(tiny)


def test_some_of_the_tasks_are_what_they_are_among_all(tmp_path):
    every = write_glue_mini(tmp_path / "every", seed=7, size=0.02)
    some = write_glue_mini(tmp_path / "some", seed=7, size=0.02, tasks=["rte", "cola"])
    written = {path.relative_to(some) for path in some.rglob("*.*")}
    assert {path.parent.name for path in written} == {"RTE", "CoLA", ""}
    assert all((some / path).read_bytes() == (every / path).read_bytes() for path in written)


def test_a_sentence_without_determiners_can_be_put_out_of_order():
    words = Words.full()
    for stream in range(3000):
        good = _order(Draw(str(stream)), words, bad=False)
        assert _order(Draw(str(stream)), words, bad=True) != good


def test_all_nine_tasks_are_read_like_the_official_ones(mini):
    assert available_tasks(mini) == list(GLUE)
    for name in GLUE:
        data = read_task(mini, name)
        assert len(data.train) >= 50
        assert set(data.dev) == set(GLUE[name].dev)


@pytest.mark.parametrize("name", sorted(GLUE))
def test_labels_are_balanced_and_nothing_leaks(mini, name):
    data = read_task(mini, name)
    examples = set(zip(data.train.first, data.train.second or data.train.first, strict=True))
    for dev in data.dev.values():
        pairs = list(zip(dev.first, dev.second or dev.first, strict=True))
        assert not examples & set(pairs)
        if GLUE[name].labels:
            shares = np.bincount(dev.labels, minlength=len(GLUE[name].labels)) / len(dev)
            assert shares.max() < 0.75
        else:
            assert dev.labels.std() > 0.8


def test_sentences_are_short_and_words_few(mini):
    lines = (mini / "corpus.txt").read_text().splitlines()
    words = {word.strip(".?,").lower() for line in lines for word in line.split()}
    assert 200 < len(words) < 1000
    lengths = [len(line.split()) for line in lines if line]
    assert np.percentile(lengths, 99) <= 20


def test_development_sentences_use_words_that_training_does_not_show(mini):
    data = read_task(mini, "sst2")
    shown = {word for text in data.train.first for word in text.split()}
    new = {word for text in data.dev["dev"].first for word in text.split()} - shown
    assert new
    corpus = set((mini / "corpus.txt").read_text().split())
    assert len(new & corpus) >= 0.5 * len(new)
