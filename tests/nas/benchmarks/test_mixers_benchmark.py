"""The benchmark of mixers: every kind is measured, slopes and crossings are right."""

import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from nas.benchmarks import mixers
from nas.benchmarks.mixers import (
    PEER,
    Pass,
    crossing,
    doubled,
    feedforward_kinds,
    mixer_kinds,
    slope,
)
from nas.cli.main import cli
from nas.models.feedforwards import FEEDFORWARDS
from search_spaces.operations import OPERATIONS
from search_spaces.parts import read_kind


def rows(seconds, ratios=None):
    lengths = doubled(8192)
    ratios = ratios or [1.0] * len(lengths)
    return [Pass("mixer", "x", n, seconds(n), 1.0, r) for n, r in zip(lengths, ratios, strict=True)]


def test_a_slope_is_that_of_long_sequences():
    assert slope(rows(lambda n: n**2 / 1e9)) == pytest.approx(2.0)
    assert slope(rows(lambda n: 1.0 if n < 1024 else n / 1024)) == pytest.approx(1.0)
    assert slope(rows(lambda n: n)[:3]) is None


def test_a_crossing_is_where_it_stays_faster():
    assert crossing(rows(float, [2, 0.9, 1.1, 0.9, 0.8, 0.7, 0.6])) == 1024
    assert crossing(rows(float, [2] * 7)) is None


def test_every_kind_is_there_and_the_usual_first():
    assert {read_kind(kind)[0] for kind in mixer_kinds()} == set(OPERATIONS)
    assert feedforward_kinds()[0] == "mlp"
    assert set(FEEDFORWARDS) <= set(feedforward_kinds())
    assert "meo(level=task)" in feedforward_kinds()


def test_what_became_too_slow_is_left_out_of_longer_sequences():
    slow = list(
        mixers.mixer_passes(
            ["hedgehog", "c_5"],
            [128, 256],
            width=64,
            repeats=1,
            device=torch.device("cpu"),
            most_seconds=0.0,
        )
    )
    assert [(row.kind, row.length) for row in slow] == [
        (PEER, 128),
        ("hedgehog", 128),
        ("c_5", 128),
    ]
    assert slow[0].ratio == 1.0
    assert slow[0].peak_mb > 4 * 128 * 64 * 4 / 1e6


def test_the_command_prints_tables_and_leaves_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(mixers, "mixer_kinds", lambda: ["hedgehog"])
    monkeypatch.setattr(mixers, "feedforward_kinds", lambda: ["mlp", "moe"])
    given = ["benchmark", "mixers", "--quick", "--width", "64", "--to", str(tmp_path / "out")]
    answer = CliRunner().invoke(cli, given)
    assert answer.exit_code == 0, answer.output
    table = pd.read_csv(tmp_path / "out" / "mixers.csv")
    assert table.kind.tolist() == ["mlp", "moe", *["hedgehog"] * 2, *[PEER, "hedgehog"] * 2]
    assert table.slot.tolist()[2:4] == ["padded", "unpadded"]
    assert (table.seconds > 0).all()
    for word in ("hedgehog", "slope", "moe", "faster", "Written"):
        assert word in answer.output
