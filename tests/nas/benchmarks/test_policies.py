"""`nas benchmark policies` as a user types it: files, resuming, processes, and every message."""

import json

import numpy as np
import pandas as pd
import pytest

from nas.benchmarks.jobs import Job, Setting
from nas.benchmarks.policies import Plan
from nas.benchmarks.policy_pictures import draw_simulations
from nas.benchmarks.results import Results
from search_spaces.errors import RunError

VALUES = [round(0.3 + 0.4 * np.sin(7 * i) ** 2, 4) for i in range(24)]


@pytest.fixture
def table(write_table):
    return write_table(VALUES, seconds=[60.0 + 5 * i for i in range(24)])


@pytest.fixture
def policies(nas):
    """Return a function that runs `nas benchmark policies`: (code, out, err)."""
    return lambda *arguments: nas("benchmark", "policies", *arguments)


SMALL = ("--policies", "random,parameters", "--seeds", "3", "--batch", "1,4", "--to", "out")


def results_of(folder):
    """Return what the results say, but for measured seconds, which never repeat."""
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    for row in rows:
        row["result"].pop("cpu_seconds", None)
        row["result"].pop("seconds", None)
    return sorted(rows, key=json.dumps)


def test_figures_files_and_pictures(policies, table, tmp_path):
    extra = ("--simulate", "1,4", "--latency", "0.05", "--simulated-seeds", "2", "--calibration")
    code, out, err = policies("--table", table, *SMALL, *extra, "--splits", "2", "--rows", "8")
    assert code == 0
    assert "24 architectures (24 rows); glue max; 3 seeds, 5 given rows, 24 evaluations" in out
    assert "regret 6-24 (s.e.)" in out
    assert "Minus random" in out
    assert "What noise leaves to reach" in out
    assert "Cannot predict: random, parameters." in out
    assert "Simulated workers, median over 2 seeds" in out
    assert "24/24 done" in err
    for name in ("regret.png", "simulation.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")


def test_times_of_simulations_have_ticks_at_one_two_and_five(tmp_path, monkeypatch):
    seen = {}

    def finish(figure, panels, path, title):
        seen["ticks"] = panels[0].get_yticks().tolist()
        return path

    monkeypatch.setattr("nas.benchmarks.policy_pictures._finish", finish)
    hours = [0.15, 0.9, 30.0, 160.0]
    simulations = pd.DataFrame(
        {
            "policy": "random",
            "workers": [1, 2, 4, 8],
            "to_top_seconds": [3600 * h for h in hours],
            "idle": 0.1,
        }
    )
    draw_simulations(simulations, tmp_path / "x.png", styles={"random": {}}, title="times")
    assert seen["ticks"] == [0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200]


def test_tables_survive_the_way_to_csv_and_back(policies, table, tmp_path):
    policies("--table", table, *SMALL)
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    summary = pd.read_csv(tmp_path / "out" / "summary.csv").set_index(["policy", "batch"])
    assert len(runs) == 12
    for key, group in runs.groupby(["policy", "batch"]):
        assert summary.loc[key, "regret_mean"] == pytest.approx(group["regret"].mean(), rel=1e-12)
        assert summary.loc[key, "to_best"] == group["to_best"].median()
        assert summary.loc[key, "to_best_q3"] == group["to_best"].quantile(0.75)
    curves = pd.read_csv(tmp_path / "out" / "curves.csv")
    last = curves[curves["evaluation"] == 24]
    assert (last[["median", "q1", "q3", "mean"]] == 0).all(axis=None)
    pair = pd.read_csv(tmp_path / "out" / "paired.csv").set_index("batch").loc[4]
    regrets = runs[runs["batch"] == 4].pivot_table(index="seed", columns="policy", values="regret")
    difference = regrets["parameters"] - regrets["random"]
    assert pair["mean"] == pytest.approx(difference.mean())
    assert pair["error"] == pytest.approx(difference.sem())


def test_several_objectives_are_judged_by_hypervolume(policies, table, tmp_path):
    code, out, _ = policies("--table", table, *SMALL, "--objective", "glue:max,seconds:min")
    assert code == 0
    assert "hypervolume@20" in out
    assert "regret" not in out.partition("What noise")[0]
    assert (tmp_path / "out" / "hypervolume.png").exists()
    curves = pd.read_csv(tmp_path / "out" / "curves.csv")
    np.testing.assert_allclose(curves[curves["evaluation"] == 24]["median"], 1.0)


def test_less_can_be_better(policies, table):
    code, out, _ = policies(
        "--table", table, *SMALL, "--objective", "seconds:min", "--start", "own"
    )
    assert code == 0
    assert "seconds min; 3 seeds, cold start" in out
    assert "60.00" in out  # the best, in the column's own unit
    assert "What noise" not in out


def test_the_table_is_believed_where_it_counts_otherwise(policies, write_table):
    path = write_table(VALUES, parameters=list(range(24)))
    out = policies("--table", path, *SMALL, "--objective", "glue:max,parameters:min")[1]
    assert "The table counts parameters otherwise than we do" in out


def test_an_interrupted_benchmark_continues(policies, table, tmp_path, monkeypatch):
    import nas.benchmarks.policies as module

    whole = tmp_path / "whole"
    policies("--table", table, *SMALL[:-1], whole)
    genuine = module.run_jobs

    def interrupted(setting, jobs, processes):
        for i, done in enumerate(genuine(setting, jobs, processes)):
            if i == 5:
                raise KeyboardInterrupt
            yield done

    monkeypatch.setattr(module, "run_jobs", interrupted)
    code, _, err = policies("--table", table, *SMALL)
    assert code == 130
    assert "Interrupted" in err
    path = tmp_path / "out" / "results.jsonl"
    assert len(results_of(tmp_path / "out")) == 5
    path.write_text(path.read_text() + '{"kind": "search", "pol')  # a torn line
    performed = []

    def counted(setting, jobs, processes):
        performed.extend(jobs)
        yield from genuine(setting, jobs, processes)

    monkeypatch.setattr(module, "run_jobs", counted)
    code, _, err = policies("--table", table, *SMALL)
    assert code == 0
    assert "out has 5 results already" in err
    assert len(performed) == 7
    assert results_of(tmp_path / "out") == results_of(whole)
    performed.clear()
    assert policies("--table", table, *SMALL)[0] == 0
    assert performed == []
    assert policies("--table", table, *SMALL, "--recompute", "random")[0] == 0
    assert {job.policy for job in performed} == {"random"}
    assert len(performed) == 6


def test_processes_change_nothing_but_seconds(policies, table, tmp_path):
    more = ("--simulate", "2", "--latency", "0.1")
    policies("--table", table, *SMALL[:-1], "one", *more)
    code, _, _ = policies("--table", table, *SMALL[:-1], "two", *more, "--jobs", "2")
    assert code == 0
    assert results_of(tmp_path / "one") == results_of(tmp_path / "two")


def test_results_of_another_setting_are_refused(policies, table):
    policies("--table", table, *SMALL)
    code, _, err = policies("--table", table, *SMALL, "--budget", "20")
    assert code == 2
    assert "out holds results of another setting: budget was 105 and is now 20" in err
    table.write_text(table.read_text() + "\n")
    code, _, err = policies("--table", table, *SMALL)
    assert code == 2
    assert "another setting: table was" in err


def test_a_search_with_predictions_serves_as_one_without(replayable, tmp_path):
    setting = Setting(*replayable([0.1, 0.2]))
    results = Results(tmp_path / "r", setting)
    results.add(Job("watched-search", "random", 0, 1), {"rows": [1, 0], "predictions": {}})
    again = Results(tmp_path / "r", setting)
    assert again[Job("search", "random", 0, 1)]["rows"] == [1, 0]
    assert Job("watched-search", "random", 0, 1) in again
    assert Job("search", "random", 1, 1) not in again
    again.add(Job("search", "random", 2, 1), {"rows": [0, 1]})
    assert Job("watched-search", "random", 2, 1) not in again


def test_a_broken_result_is_named(replayable, tmp_path):
    setting = Setting(*replayable([0.1, 0.2]))
    Results(tmp_path / "r", setting)
    (tmp_path / "r" / "results.jsonl").write_text("nonsense\n")
    with pytest.raises(RunError, match=r"results.jsonl, line 1 is no result"):
        Results(tmp_path / "r", setting)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Choose another with --to"):
        Results(tmp_path / "file", setting)


def test_an_error_in_a_worker_process_keeps_its_words(replayable, monkeypatch):
    from nas.benchmarks import workers

    monkeypatch.setattr(workers, "_worker_setting", Setting(*replayable([0.1, 0.2])))
    result, refusal = workers._perform(Job("search", "randon", 0, 1))
    assert result is None
    assert "'randon'. Did you mean 'random'" in refusal
    result, refusal = workers._perform(Job("search", "random", 0, 1))
    assert sorted(result["rows"]) == [0, 1]
    assert refusal is None


def test_splits_leave_something_to_predict():
    plan = Plan(("random",), calibration=True, splits=1, rows=(5, 9, 10))
    assert [job.size for job in plan.splits_to_predict(10)] == [5]
    assert Plan(("random",)).splits_to_predict(100) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--table'"),
        (["--table", "no-such.jsonl"], "no-such.jsonl cannot be read"),
        (["--table", "TABLE", "--metric", "glu"], "No column of table.jsonl is called 'glu'. Did"),
        (["--table", "TABLE", "--objective", "glue:up"], "Write glue:max or glue:min"),
        (["--table", "TABLE", "--objective", "glue:max,speed:max"], "is called 'speed'"),
        (
            ["--table", "TABLE", "--objective", "glue:max", "--metric", "seconds"],
            "No objective is called 'seconds'",
        ),
        (["--table", "TABLE", "--policies", "randon"], "Did you mean 'random'?"),
        (["--table", "TABLE", "--policies", " , "], "names no policy"),
        (["--table", "TABLE", "--recompute", "randon"], "Did you mean 'random'?"),
        (["--table", "TABLE", "--batch", "1,x"], "are no positive whole numbers. Write them as"),
        (["--table", "TABLE", "--batch", "0"], "are no positive whole numbers"),
        (["--table", "TABLE", "--start", "warm"], "'warm' is not one of 'given', 'own'"),
        (["--table", "TABLE", "--simulate", "2", "--durations", "secs"], "is called 'secs'"),
        (["--table", "TABLE", "--budget", "5"], "5 given rows leave nothing to propose: table.js"),
        (["--table", "BROKEN"], "line 3: this is no JSON"),
    ],
)
def test_bad_input_gets_a_message_and_code_2_and_leaves_nothing(
    policies, table, tmp_path, arguments, message
):
    broken = tmp_path / "broken.jsonl"
    broken.write_text("\n".join(table.read_text().splitlines()[:2]) + "\n{oops\n")
    before = set(tmp_path.iterdir())
    paths = {"TABLE": table, "BROKEN": broken}
    code, _, err = policies(*(paths.get(a, a) for a in arguments))
    assert code == 2
    assert message in err
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], [0.1, 0.2]])
def test_tables_too_small_to_say_much_still_end(policies, write_table, values):
    path = write_table(values, seconds=[0.0] * len(values))
    code, _, _ = policies(
        "--table", path, *SMALL, "--simulate", "2", "--calibration", "--start", "own"
    )
    assert code == 0
