"""The scheduler benchmark: virtual time adds up, and every part gives its rows."""

import json

import pytest
from click.testing import CliRunner

from nas.benchmarks.scheduler_simulation import compare, duration, simulate, top_threshold
from nas.cli.main import cli
from search_spaces import load_space
from surrogates import make_policy

SPACE = load_space("flexibert-micro")


def make():
    return make_policy("random", SPACE, {"glue": "max"}, seed=0)


def test_virtual_workers_are_busy_all_the_time_they_do_not_wait():
    policy = make()
    result = simulate(policy, 4, 20, threshold=2.0)
    trained = policy.trials()
    assert len(trained) == 20
    assert all(trial.values for trial in trained)
    work = sum(duration(trial.architecture) for trial in trained)
    assert work / 4 <= result["total_seconds"] <= work
    assert 0 <= result["idle"] < 0.05
    assert result["to_top_seconds"] == float("inf")


def test_batches_wait_for_their_slowest_and_one_worker_takes_longest():
    threshold = top_threshold(SPACE.sample(200, seed=1))
    asynchronous, batches, one = compare(make, 8, 32, threshold)
    assert asynchronous["idle"] < batches["idle"]
    assert asynchronous["total_seconds"] < batches["total_seconds"]
    assert one["workers"] == 1


@pytest.mark.parametrize("part", ["size", "workers"])
def test_the_command_prints_the_figures_beside_their_goals(part):
    answer = CliRunner().invoke(
        cli, ["benchmark", "scheduler", "--quick", "--json", "--policy", "random", "--part", part]
    )
    assert answer.exit_code == 0, answer.output
    rows = [json.loads(line) for line in answer.output.splitlines() if line.startswith("{")]
    assert any("goal" in name for row in rows for name in row)
    if part == "size":
        assert rows[0]["trials"] == 50
        assert rows[0]["driver_mb"] < 500
