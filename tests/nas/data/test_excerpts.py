"""The beginnings of texts that a report shows: of every form of example, kept and read back."""

import json

import numpy as np
import pytest

from nas.data import excerpts as module
from nas.data.excerpts import excerpts, text_of
from nas.data.preparation import prepare
from nas.data.prepared import PreparedData
from nas.data.tables import Split, TaskData
from nas.evaluation.mistakes import LONGEST
from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidData

LONG = "x\ty " * 200
ROWS = {
    "one text": (Split(["Ähre <b>", LONG], None, None), "Ähre <b>"),
    "two texts": (Split(["a", LONG], ["b", LONG], None), "a | b"),
    "answers": (Split(["a", LONG], None, None, choices=[["b", "c"], ["d", LONG]]), "a | b | c"),
    "words": (Split([["New York", "", "is"], ["a"] * 300], None, None, words=True),
              "New_York _ is"),
    "a question": (Split(["Who?", LONG], ["It was Ann", "b"], None, answers=[["Ann"], []]), "Who?"),
}  # fmt: skip


@pytest.mark.parametrize("form", ROWS)
def test_each_form_of_example_has_one_short_line(form, monkeypatch):
    split, first = ROWS[form]
    found = excerpts(split)
    assert found[0] == first
    assert all(len(text) <= LONGEST and text.isprintable() for text in found)
    if form in ("two texts", "answers"):  # each has its share of the room
        assert found[1].count(" | ") == first.count(" | ")
    if form != "words":
        assert text_of(split, 0).startswith(first)
    monkeypatch.setattr(module, "MOST", 1)
    assert excerpts(split) == ()


@pytest.fixture
def prepared():
    texts = [f"Ähre number {i} of the wheat" for i in range(12)]
    part = Split(texts, None, np.arange(12) % 2)
    row = Task(
        name="t", folder="", columns=("text",), label="y", labels=("a", "b"),
        metrics=("accuracy",), source="", kind="classes", own=True, dev={"dev": ""},
    )  # fmt: skip
    return prepare(
        tasks={"t": TaskData("t", part, {"dev": part}, row=row)}, corpus=None,
        vocabulary_size=80, block_length=8, max_length=8, max_dev_examples=5,
    )  # fmt: skip


def test_they_are_those_of_the_examples_that_are_scored_and_come_back(prepared, tmp_path):
    dev = prepared.tasks["t"]["dev"]
    assert len(dev.excerpts) == len(dev) == 5
    numbers = [int(text.split()[2]) for text in dev.excerpts]
    assert [number % 2 for number in numbers] == dev.labels.tolist()
    assert prepared.tasks["t"]["train"].excerpts == ()
    prepared.save(tmp_path)
    assert PreparedData.load(tmp_path).tasks["t"]["dev"].excerpts == dev.excerpts
    path = tmp_path / "t.dev.excerpts.json"
    for text, message in (
        ("[1, 2, 3, 4, 5]", "no list of texts"), ("{}", "no list of texts"),
        ('["a"]', "1 texts of 5 examples"), ("[", "is no JSON"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InvalidData, match=message):
            PreparedData.load(tmp_path)
    path.write_text(json.dumps(list(dev.excerpts)))
    assert PreparedData.load(tmp_path).tasks["t"]["dev"].excerpts == dev.excerpts
    path.unlink()  # data of an older version
    assert PreparedData.load(tmp_path).tasks["t"]["dev"].excerpts == ()
