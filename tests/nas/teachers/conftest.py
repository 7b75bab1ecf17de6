"""A tiny trained encoder, read, and a little data for it."""

import json

import numpy as np
import pytest

from nas.data.preparation import prepare_tasks
from nas.data.tables import Split, TaskData
from nas.data.tokenizer import Tokenizer
from nas.teachers.checkpoint import read_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, make_checkpoint):
    folder = tmp_path_factory.mktemp("checkpoint")
    make_checkpoint(folder)
    return folder


@pytest.fixture(scope="session")
def teacher(checkpoint):
    return read_checkpoint(checkpoint)


@pytest.fixture(scope="session")
def data(teacher):
    """Two tasks of a few examples, encoded with the checkpoint's tokenizer."""
    words = ["the cat sat", "a dog ran in", "the cat is not a dog", "it was of the cat"]
    texts = [f"{words[i % 4]} {words[(i // 4) % 4]}" for i in range(48)]
    classes = Split(texts, None, np.array([i % 4 == 2 for i in range(48)], np.float32))
    pairs = Split(texts, texts[::-1], np.linspace(0, 5, 48).astype(np.float32))
    return prepare_tasks(
        {
            "sst2": TaskData("sst2", classes, {"dev": classes}),
            "stsb": TaskData("stsb", pairs, {"dev": pairs}),
        },
        Tokenizer.from_json(teacher.tokenizer_json),
        max_length=32,
    )


@pytest.fixture
def changed(checkpoint, tmp_path):
    """Return a function that copies the folder with some of its configuration changed."""

    def copy(**changes):
        folder = tmp_path / "copy"
        folder.mkdir()
        for path in checkpoint.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        config = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return copy
