"""Struck at a random moment, resumed, compared: the experiment with few runs."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def faults(folder, runs, *arguments):
    """Run the experiment in a process of its own; return its rows."""
    table = folder / "faults.csv"
    script = ROOT / "experiments" / "faults.py"
    answer = subprocess.run(
        [sys.executable, str(script), "--runs", str(runs), "--to", str(table), *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=1800, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_nothing_lost(rows):
    for row in rows:
        assert (row["resumed"], row["lost"]) == ("1", "0"), row
        assert (row["twice"], row["differences"]) == ("0", "0"), row
        assert (row["untrue"], row["unsaid"], row["left"]) == ("0", "0", "0"), row


def test_a_killed_driver_and_a_power_cut_lose_nothing(tmp_path):
    rows = faults(tmp_path, 1, "--kinds", "driver")
    assert_nothing_lost(rows)
    rows = faults(tmp_path, 2, "--kinds", "driver,power")  # goes on in the table
    assert [row["kind"] for row in rows] == ["driver", "power"]
    assert_nothing_lost(rows)


@pytest.mark.slow
def test_no_kind_of_fault_loses_anything(tmp_path):
    rows = faults(tmp_path, 22, "--engine", "both")
    assert len({row["kind"] for row in rows}) == 11
    assert_nothing_lost(rows)


@pytest.mark.slow
def test_a_ray_that_dies_while_it_starts_or_ends_is_told_in_seconds(tmp_path):
    rows = faults(tmp_path, 8, "--kinds", "starting,ending", "--seed", "5")
    assert_nothing_lost(rows)
    assert max(float(row["slowest"]) for row in rows) < 45  # Ray itself takes 60, without a word
    assert {row["codes"].split()[0] for row in rows} == {"0", "4"}
