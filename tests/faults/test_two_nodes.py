"""A search on two nodes of which one is killed: the experiment checks itself."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_killed_nodes_trials_continue_on_the_other(tmp_path):
    script = ROOT / "experiments" / "two_nodes.py"
    answer = subprocess.run(
        [sys.executable, str(script), "--run", str(tmp_path / "run")],
        capture_output=True, text=True, cwd=ROOT, timeout=300, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert "moved when the second node was killed" in answer.stdout
