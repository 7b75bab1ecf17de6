"""The scheduler benchmark: virtual time adds up, and every part gives its rows."""

import json
import sqlite3

import numpy as np
import pytest
from click.testing import CliRunner

from nas.benchmarks import scheduler_overhead, scheduler_start
from nas.benchmarks.scheduler_simulation import compare, simulate
from nas.benchmarks.simulated_trials import Trials, after_table, made_up
from nas.benchmarks.tables import read_table
from nas.cli.main import cli
from search_spaces.errors import RunError
from surrogates import make_policy

TRIALS = made_up("flexibert-micro")


def make():
    return make_policy("random", TRIALS.space, {"glue": "max"}, seed=0)


def test_virtual_workers_are_busy_all_the_time_they_do_not_wait():
    policy = make()
    result = simulate(policy, TRIALS, 4, 3600.0, threshold=2.0)
    ended = [trial for trial in policy.trials() if trial.values]
    assert result["trials"] == len(ended) >= 4 * 3600 / 1200
    assert 0 <= result["idle"] < 0.01
    assert result["to_top_seconds"] == float("inf")
    assert result["best"] == max(trial.values["glue"] for trial in ended)


@pytest.mark.parametrize("workers", [1, 8])
def test_a_slow_policy_leaves_workers_idle_for_as_long_as_it_thinks(workers, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("nas.benchmarks.scheduler_simulation.time.process_time", lambda: clock[0])
    policy, ask = make(), []

    def slow(n):
        clock[0] += 30.0
        ask.append(n)
        return type(policy).ask(policy, n)

    policy.ask = slow
    trials = Trials(TRIALS.space, TRIALS.value, lambda a: 10.0, 10.0)
    result = simulate(policy, trials, workers, 1200.0, threshold=2.0)
    assert result["thinking_seconds"] == 30.0 * result["requests"]
    busy = 10.0 * result["trials"]  # and of what still runs at the end, less than ten seconds each
    whole = workers * 1200.0
    assert 1 - (busy + 10.0 * workers) / whole - 1e-9 <= result["idle"] <= 1 - busy / whole + 1e-9
    assert ask[0] == workers + 1
    assert result["idle"] > 30.0 / 1200.0  # everybody waits for the first answer
    policy = make()
    policy.ask = slow
    assert simulate(policy, trials, workers, 20.0, threshold=2.0)["idle"] == 1  # which is too late


def test_batches_wait_for_their_slowest_and_one_worker_takes_longest():
    asynchronous, batches, one = compare(make, TRIALS, 8, 6, TRIALS.threshold(0.01, 200))
    assert asynchronous["idle"] < 0.01 < batches["idle"]
    assert asynchronous["trials"] > batches["trials"]
    assert one["workers"] == 1


def test_trials_can_be_made_faster_all_alike():
    fast = TRIALS.lasting(6.0)
    for architecture in TRIALS.space.sample(5, seed=0):
        assert fast.seconds(architecture) == pytest.approx(TRIALS.seconds(architecture) / 100)


def test_trials_after_a_table_are_its_rows_and_what_resembles_them(write_table, architectures):
    sizes = np.array([sum(layer.width for layer in a.layers) for a in architectures])
    table = read_table(write_table(list(sizes / 5000), seconds=[float(s) for s in sizes]))
    trials = after_table(table, "flexibert-micro", "glue", "seconds")
    assert [trials.value(a) for a in architectures] == pytest.approx(list(sizes / 5000))
    assert [trials.seconds(a) for a in architectures] == pytest.approx(list(sizes))
    others = [a for a in trials.space.sample(200, seed=3) if a not in architectures]
    true = [sum(layer.width for layer in a.layers) for a in others]
    assert np.corrcoef(true, [trials.value(a) for a in others])[0, 1] > 0.9
    assert np.corrcoef(np.log(true), [np.log(trials.seconds(a)) for a in others])[0, 1] > 0.9
    assert trials.value(others[0]) == after_table(
        table, "flexibert-micro", "glue", "seconds"
    ).value(others[0])


def test_the_start_is_what_the_record_says(tmp_path, monkeypatch):
    asked = []

    class Process:
        stderr = open(__file__)  # noqa: SIM115  closed by what is tested

        def __init__(self, command, **kwargs):
            asked.append(command)
            with sqlite3.connect(tmp_path / "run.db") as db:
                db.execute("CREATE TABLE trials (started_at REAL)")
                db.execute("INSERT INTO trials VALUES (?)", (scheduler_start.time.time() + 7,))

        def poll(self):
            return 0

        def wait(self, timeout=None):
            return 0

    monkeypatch.setattr(scheduler_start.subprocess, "Popen", Process)
    assert scheduler_start._first_trial(["x.yaml"], tmp_path) == pytest.approx(7, abs=1)
    assert asked[0][-3:] == ["x.yaml", "--run", str(tmp_path)]


def test_ray_tunes_own_loop_has_as_many_trials_at_once_as_ours(monkeypatch):
    made = []

    class Tuner:
        def __init__(self, trainable, *, tune_config, **more):
            made.append(tune_config)

        def fit(self):
            pass

    monkeypatch.setattr("ray.tune.Tuner", Tuner)
    monkeypatch.setattr("nas.execution.on_ray.start_ray", lambda settings: None)
    monkeypatch.setattr("ray.shutdown", lambda: None)
    assert scheduler_overhead.tune_overhead(4)["trials"] == made[0].num_samples == 4
    ours = scheduler_overhead.trivial_experiment("random", 4)
    assert made[0].max_concurrent_trials == ours.execution.max_concurrent


def test_a_search_that_does_not_start_is_an_error_with_its_message(tmp_path):
    (tmp_path / "bad.yaml").write_text("trialz: 3\n")
    with pytest.raises(RunError, match="trialz"):
        scheduler_start._first_trial([str(tmp_path / "bad.yaml")], tmp_path / "run")


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
