"""Commands as a user types them: output, exit codes, and every message for bad input."""

import io
import json

import pandas as pd
import pytest

from nas.execution import Outcome


@pytest.fixture
def finished(begin, pretend):
    faults = {2: Outcome(2, seconds=1.0, cause="nan", error="NaN at step 7")}
    search = begin(executor=pretend(faults=faults))
    search.run_until_done()
    search.run.close()
    return search.run.directory


def test_status(nas, finished):
    code, out, _ = nas("status", finished)
    assert code == 0
    assert "state        trials" in out
    assert json.loads(nas("status", finished, "--json")[1])["done"] == 7


def test_trials_in_every_format(nas, finished):
    code, out, _ = nas("trials", finished)
    assert code == 0
    assert out.splitlines()[0].split()[:3] == ["trial", "hash", "status"]
    assert "NaN at step 7" in out
    table = pd.read_csv(io.StringIO(nas("trials", finished, "--format", "csv")[1]))
    assert len(table) == 8
    assert json.loads(table["architecture"][0])["l"] in (2, 4)
    rows = [json.loads(r) for r in nas("trials", finished, "--format", "json")[1].splitlines()]
    assert rows[1]["glue"] is None
    kept = nas("trials", finished, "--sort", "glue", "--where", "glue > 0", "--format", "json")[1]
    glue = [json.loads(row)["glue"] for row in kept.splitlines()]
    assert glue == sorted(glue, reverse=True)
    assert len(glue) == 7


def test_sorting_puts_the_cheapest_first_where_less_is_better(nas, finished):
    out = nas("trials", finished, "--sort", "parameters", "--format", "json")[1]
    parameters = [json.loads(row)["parameters"] for row in out.splitlines()]
    assert parameters[:7] == sorted(parameters[:7])


def test_pareto_and_its_picture(nas, finished, tmp_path):
    code, out, err = nas("pareto", finished, "-o", "glue:max,latency_ms:min", "--plot", "f.png")
    assert code == 0
    assert "layers" in out
    assert "Picture: f.png" in err
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_columns_that_do_not_fit_are_left_out_and_named():
    from nas.cli.tables import _fitting

    names = ("trial", "glue", "cola", "rte", "parameters", "seconds", "peak_memory_mb")
    cells = {name: ["0.123"] for name in names}
    assert _fitting(cells, 200) == (list(names), [])
    columns, dropped = _fitting(cells, 44)
    assert columns == ["trial", "glue", "cola", "rte", "parameters"]
    assert dropped == ["peak_memory_mb", "seconds"]
    assert _fitting(cells, 10)[0] == ["trial", "glue", "parameters"]


def test_space_commands(nas, tmp_path):
    assert nas("space", "count", "flexibert-test")[1] == "9312\n"
    assert "flexibert-test " in nas("space", "list")[1]
    assert "9,312 architectures" in nas("space", "show", "flexibert-test")[1]
    first = nas("space", "sample", "flexibert-micro", "-n", "2", "--seed", "1")[1]
    assert first == nas("space", "sample", "flexibert-micro", "-n", "2", "--seed", "1")[1]
    (tmp_path / "a.json").write_text(first.splitlines()[0])
    code, out, _ = nas("space", "check", "a.json", "--space", "flexibert-micro")
    assert code == 0
    assert "in the space flexibert-micro" in out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["serch"], "No command is called 'serch'. Did you mean 'search'?"),
        (["search", "--trials", "0"], "trials: Input should be greater than or equal to 1"),
        (["search", "--trials", "many"], "'many' is not a valid integer"),
        (
            ["search", "--objective", "glu:max"],
            "No objective is called 'glu'. Did you mean 'glue'?",
        ),
        (["search", "--objective", "glue:best"], "Write glue:max or glue:min"),
        (["search", "--constraint", "small"], "is no constraint. Write NAME < NUMBER"),
        (["search", "--time", "soon"], "Write a positive number with a unit"),
        (["search", "--space", "flexibert-tset"], "Did you mean 'flexibert-test'?"),
        (["search", "--policy", "boshnass"], "Did you mean 'boshnas'?"),
        (["search", "--tasks", "cola,rta"], "'rta'. Did you mean 'rte'?"),
        (["search", "--data", "no-such-folder"], "no-such-folder"),
        (["search", "--corpus", "no-such-file.txt"], "no-such-file.txt"),
        (["search", "missing.yaml"], "There is no experiment file 'missing.yaml'"),
        (["search", "--corpus", "a.txt", "no-such-file.gz", "b.txt"], "no-such-file.gz"),
        (["search", "one.yaml", "two.yaml"], "one experiment file, but got one.yaml, two.yaml"),
        (["search", "--gpus-per-trial", "some"], "execution.gpus_per_trial: write auto, or"),
        (["search", "--gpus-per-trial", "-1"], "execution.gpus_per_trial: write auto, or"),
        (["resume", "nowhere"], "is no run directory"),
        (["status", "nowhere"], "is no run directory"),
        (["export", "nowhere", "--to", "x"], "is no run directory"),
        (["export", "nowhere"], "Missing option '--to'"),
        (["space", "show", "flexbert"], "Did you mean"),
        (["space", "check", "nothing.json"], "cannot be read"),
    ],
)
def test_bad_input_gets_a_message_and_code_2_and_leaves_nothing(nas, tmp_path, command, message):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Some text to read. " * 50)
    code, _, err = nas(*command)
    assert code == 2
    assert message in err
    assert not list(tmp_path.glob("runs/*"))


def test_an_experiment_file_beside_a_corpus_is_no_text_to_read(nas, tmp_path, monkeypatch):
    from search_spaces.errors import RunError

    plans = []

    def refuse(plan, *given, **more):
        plans.append(plan)
        raise RunError("Not today.")

    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Some text to read. " * 50)
    (tmp_path / "one.yml").write_text("trials: 5\n")
    monkeypatch.setattr("nas.search.driver.start", refuse)
    assert nas("search", "one.yml", "--corpus", "a.txt", "b.txt")[0] == 2
    ((trials, corpus),) = [(plan.trials, plan.corpus) for plan in plans]
    assert trials == 5
    assert [str(text).rpartition("/")[2] for text in corpus] == ["a.txt", "b.txt"]


def test_workers_that_cannot_start_leave_no_run_behind(nas, tmp_path, monkeypatch):
    from search_spaces.errors import RunError

    def refuse(*given):
        raise RunError("No Ray cluster answers at 'nowhere:1'.")

    monkeypatch.setattr("nas.search.driver.make_executor", refuse)
    code, _, err = nas("search", "--address", "nowhere:1")
    assert code == 2
    assert "No Ray cluster answers" in err
    assert not list(tmp_path.glob("runs/*"))


def test_bad_input_about_a_run(nas, finished, tmp_path):
    cases = [
        (["trials", finished, "--sort", "glu"], "No column is called 'glu'. Did you mean 'glue'?"),
        (["trials", finished, "--where", "glue >"], "is no condition"),
        (["trials", finished, "--where", "@pd.x"], "is no condition"),
        (["trials", finished, "--format", "xml"], "'xml' is not one of"),
        (["pareto", finished, "-o", "speed:max"], "No objective is called 'speed'"),
        (["pareto", finished, "--plot", "front.txt"], "Use .png, .pdf or .svg"),
        (["resume", finished, "--trials", "lots"], "'lots' is no number of trials. Write 80"),
        (["resume", finished, "--trials", "+" + "9" * 5000], "is no number of trials. Write 80"),
        (["resume", finished, "--time", "soon"], "is no duration"),
        (["export", finished, "--pick", "nicest", "--to", "x"], "Write best, knee, or the start"),
        (["search", "--run", finished], "belongs to another experiment: it has policy 'random'"),
    ]
    for command, message in cases:
        code, _, err = nas(*command)
        assert code == 2, command
        assert message in err, command
    assert not (tmp_path / "x").exists()


def test_a_wrong_key_in_an_experiment_file_is_named(nas, tmp_path):
    for text, message in [
        ("trails: 3\n", "No setting is called 'trails'. Did you mean 'trials'?"),
        ("recipe: {pretrain_token: 3}\n", "Did you mean 'pretrain_tokens'?"),
        ("recipe: {preset: fast}\n", "No recipe is called 'fast'"),
        ("recipe: {pretrain_tokens: 0}\n", "pretrain_tokens is 0"),
        ("policy_options: {restart: 3}\n", "has no option 'restart'"),
        ("a: [1\n", "is no valid YAML"),
    ]:
        (tmp_path / "e.yaml").write_text(text)
        code, _, err = nas("search", "e.yaml")
        assert code == 2, text
        assert message in err, text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h": [64]}, "h"),
        ({"h": [64, 63]}, "63"),
        ({"o": ["sa", "sb"]}, "sb"),
    ],
)
def test_a_wrong_architecture_is_explained(nas, tmp_path, change, message):
    good = {"l": 2, "o": ["sa"] * 2, "h": [64] * 2, "n": [2] * 2, "f": [[64]] * 2, "p": ["sdp"] * 2}
    (tmp_path / "a.json").write_text(json.dumps({**good, **change}))
    code, _, err = nas("space", "check", "a.json")
    assert code == 2
    assert message in err
    (tmp_path / "a.json").write_text("{")
    assert "is no JSON" in nas("space", "check", "a.json")[2]
