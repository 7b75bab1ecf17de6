"""Prepared data that came with a run from elsewhere: damaged files are one message each."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nas.data.tokenizer import train_tokenizer

OLD_RUN = Path(__file__).parents[2] / "golden" / "old_run"


def index(**changes):
    def damage(data):
        file = data / "prepared.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return damage


def content(name, found):
    def damage(data):
        if isinstance(found, bytes):
            (data / name).write_bytes(found)
        else:
            np.save(data / name, found(np.load(data / name)))

    return damage


TRAIN = "sst2.train."
SPLITS = {"sst2": ["train", "dev"], "stsb": ["train", "dev"]}
DAMAGES = {
    "tokenizer no UTF-8": (content("tokenizer.json", b"\xff{}"), "tokenizer.json"),
    "a tokenizer that is none": (content("tokenizer.json", b"{}"), "is no tokenizer"),
    "vocabulary too large": (index(vocabulary_size=9_999), "has 90 ids"),
    "index a list": (content("prepared.json", b"[]"), "format None"),
    "index no UTF-8": (content("prepared.json", b"\xff"), "no prepared data"),
    "vocabulary a text": (index(vocabulary_size="x"), "vocabulary_size is 'x'"),
    "vocabulary too small": (index(vocabulary_size=7), "the ids 2 to 89 of 7"),
    "a path for a task": (index(tasks={"../x": ["train"]}), "not names"),
    "no development split": (index(tasks={**SPLITS, "sst2": ["train"]}), "sst2 has no split dev"),
    "a task too few": (index(tasks={"sst2": SPLITS["sst2"]}), "no task stsb"),
    "an empty file": (content(f"{TRAIN}tokens.npy", b""), "EOFError"),
    "an archive": (content(f"{TRAIN}tokens.npy", b"PK\x03\x04xx"), "BadZipFile"),
    "floats for ids": (content(f"{TRAIN}tokens.npy", lambda a: a * 1.0), "holds float64"),
    "ids beyond": (content(f"{TRAIN}tokens.npy", lambda a: a.astype(int) + 100), "the ids 102"),
    "offsets back": (content(f"{TRAIN}offsets.npy", lambda a: a[::-1]), "fit together"),
    "labels too few": (content(f"{TRAIN}labels.npy", lambda a: a[:3]), "fit together"),
    "labels unknown": (content(f"{TRAIN}labels.npy", lambda a: a + 57), "labels other than 0 to 1"),
    "labels nan": (content(f"{TRAIN}labels.npy", lambda a: a * np.nan), "lacks labels"),
    "flat blocks": (content("pretrain.npy", lambda a: a[0]), "the shape (16,)"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_data_is_one_message_of_every_command_that_reads_it(nas, tmp_path, name):
    damage, words = DAMAGES[name]
    shutil.copytree(OLD_RUN, tmp_path / "run")
    shutil.copy(OLD_RUN.parent / "tiny.yaml", tmp_path)
    damage(tmp_path / "run" / "data")
    for command in (
        ("export", "run", "--to", "model"),
        ("confirm", "run", "--seeds", "1"),
        ("ensemble", "run", "--members", "2"),
        ("resume", "run", "--trials", "+1"),
    ):
        code, _, err = nas(*command)
        assert (code, words in err) == (2, True), (command, err)
        assert len([line for line in err.splitlines() if line.startswith("Error: ")]) == 1
    assert not (tmp_path / "model").exists()


def test_a_tokenizer_of_another_model_is_named(nas, tmp_path):
    shutil.copytree(OLD_RUN, tmp_path / "run")
    data = tmp_path / "run" / "data"
    other = train_tokenizer([" ".join(map(chr, range(0x4E00, 0x4F00)))], 9_999)
    (data / "tokenizer.json").write_text(other.json, encoding="utf-8")
    index(vocabulary_size=other.vocabulary_size)(data)
    code, _, err = nas("export", "run", "--to", "model")
    assert (code, "has 517 tokens, and the model 90" in err) == (2, True), err
