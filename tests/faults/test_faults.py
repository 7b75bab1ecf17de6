"""Killed at a random moment, resumed, compared: the experiment with few runs."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def faults(folder, runs, kinds):
    """Run the experiment in a process of its own; return its rows."""
    table = folder / "faults.csv"
    script = ROOT / "experiments" / "faults.py"
    answer = subprocess.run(
        [sys.executable, str(script), "--runs", str(runs), "--kinds", kinds, "--to", str(table)],
        capture_output=True, text=True, cwd=ROOT, timeout=1200, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_nothing_lost(rows):
    for row in rows:
        assert (row["resumed"], row["lost"]) == ("1", "0"), row
        assert (row["twice"], row["differences"]) == ("0", "0"), row


def test_a_killed_driver_and_a_power_cut_lose_nothing(tmp_path):
    assert_nothing_lost(faults(tmp_path, 4, "driver,power"))


@pytest.mark.slow
def test_no_kind_of_fault_loses_anything(tmp_path):
    assert_nothing_lost(faults(tmp_path, 24, "driver,power,worker,raylet"))
