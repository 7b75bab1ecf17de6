"""README in an empty directory: every line of its blocks runs there, or says here why it does not.

Searches are made small by settings at their end; what a reader brings (GLUE, texts, a checkpoint, a
function of their own) is made on the spot.
"""

import gzip
import json
import lzma
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import tokenizers
from transformers import BertConfig, BertModel

from nas.data.glue_mini.writing import write_glue_mini

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# the beginning of a line -> what is run in its place, or why nothing is
INSTEAD = {
    "make search": "nas search",  # it sets up an environment, from an index, and does this
}
NOT_HERE = {
    "make test": "it runs these tests",
    "pip install": "needs a package index: the internet",
    "nas search my-experiment.yaml --address auto": "needs a Ray cluster at work",
}
SMALL = {
    "execution.engine": "inline",
    "recipe.max_train_examples": 48,
    "recipe.max_dev_examples": 48,
    "recipe.finetune_epochs": 1,
    "finalists": 0,
}
FROM_NOTHING = {"recipe.vocabulary_size": 300, "recipe.pretrain_tokens": 2000}
BROUGHT = "def train_and_score(architecture): return len(architecture.layers) / 10\n"


def blocks():
    """Return (language, text) of each block, in order; none for a language is a shell's."""
    return BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def lines_of(text):
    """Return the commands of a shell block without their comments."""
    commands = [shlex.join(shlex.split(line, comments=True)) for line in text.splitlines()]
    return [command for command in commands if command]


def reason(line):
    """Why a line is not run here, or None."""
    return next((why for start, why in NOT_HERE.items() if line.startswith(start)), None)


def made_small(line):
    """Return what is run for a line."""
    line = INSTEAD.get(line, line).removeprefix(".venv/bin/")
    if not line.startswith("nas search"):
        return line
    settings = SMALL if "--from" in line else SMALL | FROM_NOTHING
    more = [f"--set {key}={value}" for key, value in settings.items()]
    return " ".join([line, "--trials 2 --quiet", *more])


def test_every_line_is_run_or_says_why_not():
    python = [text for language, text in blocks() if language == "python"]
    shell = [line for language, text in blocks() if not language for line in lines_of(text)]
    assert {language for language, _ in blocks()} == {"", "python"}
    assert len(python) == 3
    unknown = [
        line for line in shell if reason(line) is None and not made_small(line).startswith("nas ")
    ]
    assert unknown == []
    for start in (*NOT_HERE, *INSTEAD):  # else it is to go from here, too
        assert any(line.startswith(start) for line in shell), start


def bring(place):
    """Make what the README's reader has: GLUE, running text, tables, an encoder."""
    write_glue_mini(place / "GLUE_DIR", size=0.05)
    text = (place / "GLUE_DIR" / "corpus.txt").read_text()
    with lzma.open(place / "books.txt.xz", "wt") as file:
        file.write(text)
    with gzip.open(place / "wiki.txt.gz", "wt") as file:
        file.write(text)
    words = {"good": ["warm", "bright", "kind", "fine"], "bad": ["cold", "dull", "cruel", "poor"]}
    things = ["film", "song", "story", "house", "day", "book", "meal", "walk", "play", "town"]
    rows = [
        (f"the {thing} was {w}", k) for k, many in words.items() for w in many for thing in things
    ]
    table = "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    (place / "reviews.csv").write_text(table)
    (place / "train.csv").write_text(table)
    dev = [{"text": f"{text} again", "label": label} for text, label in rows[::3]]
    (place / "dev.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in dev))
    letters = "abcdefghijklmnopqrstuvwxyz.,'"
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    pieces = {word: number for number, word in enumerate(known)}
    backend = tokenizers.Tokenizer(tokenizers.models.WordPiece(pieces, unk_token="[UNK]"))
    backend.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    encoder = BertModel(BertConfig(vocab_size=len(known), intermediate_size=64, **sizes))
    encoder.save_pretrained(place / "all-MiniLM-L6-v2")
    (place / "all-MiniLM-L6-v2" / "tokenizer.json").write_text(backend.to_str())


@pytest.mark.slow
def test_all_of_it_runs_in_order_in_an_empty_directory(tmp_path):
    place, tools = tmp_path / "empty", tmp_path / "tools"
    place.mkdir()
    tools.mkdir()
    shim = tools / "nas"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nas "$@"\n')
    shim.chmod(0o755)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
    }

    def call(*command):
        answer = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, timeout=3600
        )
        print(f"{answer.returncode}  {command[-1]}")  # noqa: T201  seen with pytest -s
        assert answer.returncode == 0, f"{command[-1]}\n{answer.stdout}\n{answer.stderr}"

    brought = False
    for language, text in blocks():
        if language == "python":
            call(sys.executable, "-c", BROUGHT + text)
            continue
        for line in lines_of(text):
            if (why := reason(line)) is not None:
                print(f"-  {line}: {why}")  # noqa: T201  seen with pytest -s
                continue
            if "--data" in line and not brought:
                bring(place)  # up to here the directory was empty
                brought = True
            call("bash", "-ec", made_small(line))
    assert (place / "zoo" / "best" / "config.json").is_file()
    assert len(list((place / "runs").iterdir())) == 6
