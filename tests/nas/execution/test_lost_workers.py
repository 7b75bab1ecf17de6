"""A trial function that takes its worker along: that trial's failure, and the search goes on."""

import json
import os
import subprocess
import sys

import pytest

from nas.runs.directory import open_run

TRIALS = """
import os, signal

def gone(architecture):
    way = int(architecture.hash[:2], 16) % 4
    if way == 1:
        os._exit(3)
    if way == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"scores": {"glue": 0.5}, "costs": {}}
"""


@pytest.mark.slow
def test_it_is_lost_and_the_search_goes_on_resumes_and_replays(tmp_path):
    (tmp_path / "taking_along.py").write_text(TRIALS)
    execution = {"trial_function": "taking_along:gone", "max_concurrent": 1}
    plan = {"policy": "random", "objectives": "glue:max", "trials": 8, "execution": execution}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    path = os.pathsep.join([str(tmp_path), *sys.path])

    def nas(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "nas", *arguments], cwd=tmp_path, timeout=280, check=False,
            env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        )  # fmt: skip

    assert nas("search", "plan.yaml", "--run", "run").returncode == 0
    assert nas("resume", "run", "--trials", "+2").returncode == 0
    assert nas("replay", "run").returncode == 0
    rows = open_run(tmp_path / "run").journal.trials()
    assert len(rows) == 10
    for row in rows:
        way = int(row["hash"][:2], 16) % 4
        expected = ("failed", "lost") if way in (1, 2) else ("done", None)
        assert (row["status"], row["cause"]) == expected, row["error"]
    assert {int(row["hash"][:2], 16) % 4 for row in rows} >= {1, 2}
