"""The benchmark of training: fair sides, right ratios, files, and a quick run of everything."""

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from nas.benchmarks import training
from nas.benchmarks.training import QUICK, Figure, run_benchmark
from nas.benchmarks.training_examples import LONGEST, glue_examples, stored_examples
from nas.benchmarks.training_gpu import MODELS, Utilisation
from nas.benchmarks.training_memory import measure_here
from nas.benchmarks.training_sides import _shuffled, bert_of
from nas.benchmarks.training_speed import KINDS, mixed_ratio, seconds_side_by_side
from nas.cli.main import cli
from nas.data.glue import available_tasks, read_task
from nas.data.glue_mini import write_glue_mini
from nas.evaluation.suites.glue import GLUE
from nas.models.encoder import Encoder
from search_spaces import named_architecture

CPU = torch.device("cpu")


def test_examples_have_the_lengths_of_glue():
    split = stored_examples(4000, seed=0)
    lengths = np.diff(split.offsets)
    assert 24 < lengths.mean() < 28
    assert lengths.max() <= LONGEST
    assert set(split.labels) == {0.0, 1.0}


def test_examples_drawn_from_glue_are_sentences_and_pairs_as_long_as_its_own(tmp_path):
    folder = write_glue_mini(tmp_path / "glue", seed=0, size=0.03)
    for name in available_tasks(folder):
        if name not in ("sst2", "rte"):
            shutil.rmtree(folder / GLUE[name].folder)
    tasks = [read_task(folder, name).train for name in ("sst2", "rte")]
    words = [
        len(text.split())
        for task in tasks
        for text in map(" ".join, zip(task.first, task.second or [""] * len(task), strict=True))
    ]
    split = glue_examples(folder, 10_000, seed=0)
    assert len(split) == len(words)
    lengths = np.diff(split.offsets)
    # each word is a piece at least, and [CLS] and [SEP] stand around
    assert lengths.sum() >= sum(words) + 2 * len(words)
    assert len(glue_examples(folder, 7, seed=0)) == 7


def test_the_peer_sees_every_example_once_in_another_order_each_time():
    split = stored_examples(70, seed=0)
    orders = []
    for epoch in (0, 1):
        rows = []
        for tokens, keep, _ in _shuffled(split, epoch):
            assert tokens.shape[1] == keep.sum(1).max()
            rows += [tuple(row[mask.bool()].tolist()) for row, mask in zip(tokens, keep)]  # noqa: B905
        orders.append(rows)
    own = [tuple(split.tokens[a:b]) for a, b in zip(split.offsets, split.offsets[1:])]  # noqa: B905
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(own)
    assert orders[0] != orders[1]


def test_both_sides_have_the_same_shape():
    mini = named_architecture("bert-mini")
    ours = sum(p.numel() for p in Encoder(mini, 8_000, max_length=LONGEST).parameters())
    assert ours == sum(p.numel() for p in bert_of(mini).parameters())


def test_sides_take_turns_and_the_first_turn_does_not_count(monkeypatch):
    clock, turns = [0.0], []
    monkeypatch.setattr("nas.benchmarks.training_speed._now", lambda device: clock[0])

    def side(name, seconds):
        def call(repeat):
            turns.append(name)
            clock[0] += seconds[repeat]

        return call

    sides = {"a": side("a", [9, 1, 5, 2]), "b": side("b", [9, 4, 4, 4])}
    assert seconds_side_by_side(sides, 3, CPU) == {"a": 2.0, "b": 4.0}
    assert turns == ["a", "b"] * 4


def test_mixed_heads_are_compared_with_the_mean():
    assert mixed_ratio({"mixed": 5.0, **dict(zip(KINDS, (1.0, 2.0, 3.0, 4.0), strict=True))}) == 2.0


def test_mixed_heads_stand_beside_each_kind_in_milliseconds():
    found = {"mixed": 0.005, **dict(zip(KINDS, (0.001, 0.002, 0.003, 0.004), strict=True))}
    mixed, *alone = training._mixed_lines("length 128", found)
    assert (mixed.ours, mixed.peer, mixed.ratio) == pytest.approx((5.0, 2.5, 2.0))
    assert [line.ours for line in alone] == pytest.approx([1.0, 2.0, 3.0, 4.0])


def test_goals_are_met_from_the_right_side():
    assert Figure("x", 1, ratio=2.3, goal=2.3, larger=True).met
    assert not Figure("x", 1, ratio=2.2, goal=2.3, larger=True).met
    assert Figure("x", 1, ratio=1.2, goal=1.2).met
    assert Figure("x", 1, ratio=1.3, goal=1.2).met is False
    assert Figure("x", 1).met is None


@pytest.fixture
def quick(monkeypatch):
    """Everything in this process, with canned timings of what is timed elsewhere."""
    monkeypatch.setattr(training, "peak_bytes", measure_here)
    monkeypatch.setattr(
        training, "mixed_head_seconds", lambda *_: dict.fromkeys(("mixed", *KINDS), 0.01)
    )


def test_the_command_prints_goals_and_writes_files(quick, tmp_path, monkeypatch):
    monkeypatch.delenv("NAS_DATA", raising=False)
    arguments = ["benchmark", "training", "--quick", "--examples", "32", "--device", "cpu"]
    answer = CliRunner().invoke(cli, [*arguments, "--to", str(tmp_path / "found")])
    assert answer.exit_code == 0, answer.output
    for word in ("at least 2.3", "at least 3", "at most 1.3", "at most 1.2", "stored lengths"):
        assert word in answer.output
    assert "left out, torch sees no CUDA device" in answer.output
    found = json.loads((tmp_path / "found" / "training.json").read_text(encoding="utf-8"))
    assert found["setting"]["examples"] == 32
    by_name = {figure["what"]: figure for figure in found["figures"]}
    speed = by_name["bert-tiny, training, fp32, beside BertModel"]
    assert speed["ratio"] == pytest.approx(speed["ours"] / speed["peer"])
    memory = by_name["bert-tiny, training step, fp32, peak memory of the tensors"]
    weights = sum(p.numel() for p in bert_of(named_architecture("bert-tiny")).parameters())
    assert memory["peer"] > 16 * weights / 1e6  # weights, gradients and two moments
    assert (tmp_path / "found" / "training.csv").read_text(encoding="utf-8").count("\n") == 1 + len(
        found["figures"]
    )


@pytest.mark.parametrize("given", ["by option", "by NAS_DATA", "nowhere"])
def test_the_command_draws_examples_from_the_data_it_is_given(given, tmp_path, monkeypatch):
    drawn = []

    def glue(folder, count, seed):
        drawn.append((folder, count))
        return stored_examples(count, seed)

    monkeypatch.setattr("nas.benchmarks.training_examples.glue_examples", glue)
    monkeypatch.setattr(training, "run_benchmark", lambda *_: iter(()))
    monkeypatch.delenv("NAS_DATA", raising=False)
    (tmp_path / "glue").mkdir()
    arguments = ["benchmark", "training", "--quick", "--device", "cpu", "--to", str(tmp_path / "f")]
    if given == "by option":
        arguments += ["--data", str(tmp_path / "glue")]
    elif given == "by NAS_DATA":
        monkeypatch.setenv("NAS_DATA", str(tmp_path))
    answer = CliRunner().invoke(cli, arguments)
    assert answer.exit_code == 0, answer.output
    assert drawn == ([] if given == "nowhere" else [(tmp_path / "glue", 64)])
    found = json.loads((tmp_path / "f" / "training.json").read_text(encoding="utf-8"))
    assert found["setting"]["source"] == ("stored" if given == "nowhere" else "glue")


def test_a_folder_that_cannot_be_written_is_known_before_the_work(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    answer = CliRunner().invoke(
        cli, ["benchmark", "training", "--quick", "--to", str(tmp_path / "file")]
    )
    assert "is a file. Give another folder" in str(answer.exception)


def test_a_gpu_is_compared_with_its_own_matrix_rate(monkeypatch):
    canned = {"ours": 1.0, "bert": 2.5, "bert, torch's AdamW": 3.0}
    monkeypatch.setattr(training, "training_seconds", lambda *_: canned)
    monkeypatch.setattr(training, "latency_seconds", lambda *_: canned)
    monkeypatch.setattr(
        training, "mixed_head_seconds", lambda *_: dict.fromkeys(("mixed", *KINDS), 0.01)
    )
    monkeypatch.setattr(training, "peak_bytes", lambda *_: {"tensors": 1.0})
    monkeypatch.setattr(training, "matrix_rate", lambda device: 1e12)
    monkeypatch.setattr(
        training,
        "utilisation",
        lambda name, device, rate: Utilisation(0.6e12, rate, 1e6),
    )
    left_out = []
    gpu = torch.device("cuda")
    figures = list(run_benchmark(stored_examples(32, 0), QUICK, gpu, left_out.append))
    assert not left_out
    found = {f.what.split(",")[0]: f for f in figures if "matrix rate" in f.what}
    assert set(found) == set(MODELS)
    assert found["bert-base"].met is True
    assert found["bert-mini"].goal is None
    tokens = [f for f in figures if f.what.endswith("beside BertModel")]
    assert [f.goal for f in tokens] == [2.0, 2.0]
