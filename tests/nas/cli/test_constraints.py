"""What a search says of constraints on what is measured, and of settings its engine ignores."""

import json
import sys

import pytest

from nas.runs.directory import open_run
from nas.runs.status import run_status
from nas.runs.unmet import exit_code
from nas.search.driver import resume

TRIVIAL = {
    "policy": "random",
    "space": "flexibert-small",
    "objectives": "glue:max,parameters:min",
    "constraints": ["latency_ms<0.001"],
    "trials": 3,
    "execution": {"engine": "inline", "trial_function": "nas.benchmarks.trivial_trial:measure"},
}


def write(tmp_path, **changes):
    execution = {**TRIVIAL["execution"], **changes.pop("execution", {})}
    (tmp_path / "plan.yaml").write_text(json.dumps({**TRIVIAL, **changes, "execution": execution}))


def test_a_constraint_that_no_trial_meets_is_said_at_the_end_and_the_run_stays(nas, tmp_path):
    write(tmp_path, constraints=["glue<-1", "parameters>1"])
    code, out, err = nas("search", "plan.yaml", "--run", "run")
    end = json.loads(out.splitlines()[-1])
    assert (code, end["exit_code"], end["reason"], end["done"]) == (2, 2, "trials", 3)
    words = "None of the 3 finished trials meets glue<-1 and parameters>1; the nearest: glue "
    assert words in err
    assert "nas resume run --constraint" in err
    assert "Export the winner" not in err
    assert words in run_status(open_run("run"))["warning"]
    assert nas("watch", "run")[0] == 2
    assert nas("replay", "run")[0] == 0
    assert exit_code(open_run("run"), "time") == 3  # what a budget ended keeps its code
    code, _, err = nas("resume", "run", "--constraint", "glue<=1e9")
    assert (code, "None of" in err) == (0, False)


@pytest.mark.parametrize("trials", [1, 2])
def test_a_search_of_which_every_trial_failed_is_no_success(nas, tmp_path, monkeypatch, trials):
    (tmp_path / "broken.py").write_text(
        "count = iter('ab')\ndef run(*_, **__):\n    raise ValueError(next(count))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    write(tmp_path, constraints=[], trials=trials, execution={"trial_function": "broken:run"})
    code, out, err = nas("search", "plan.yaml", "--run", "run")
    end = json.loads(out.splitlines()[-1])
    assert (code, end["exit_code"], end["reason"], end["done"]) == (5, 5, "trials", 0)
    assert f"{'The trial' if trials == 1 else 'Each of the 2 trials'} failed. See why: nas" in err
    assert f"nas resume run --trials +{trials}" in err
    assert nas("watch", "run")[0] == 5
    assert exit_code(open_run("run"), "time") == 3
    assert exit_code(open_run("run"), "interrupted") == 4


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--max-concurrent", 4, "max_concurrent is 4"),
        ("--gpus-per-trial", 0.5, "gpus_per_trial is 0.5"),
        ("--address", "auto", "address is 'auto'"),
    ],
)
def test_what_the_engine_inline_does_not_do_is_refused(nas, tmp_path, option, value, words):
    write(tmp_path, constraints=[])
    code, _, err = nas("search", "plan.yaml", "--run", "run", option, value)
    assert (code, words in err, "the engine is inline" in err) == (2, True, True), err
    assert not (tmp_path / "run").exists()


def test_an_older_run_with_such_a_setting_goes_on_unless_it_is_changed(nas, tmp_path):
    write(tmp_path, constraints=[], execution={"max_concurrent": 1})
    assert (
        nas("search", "plan.yaml", "--run", "run", "--cpus-per-trial", 2, "--gpus-per-trial", 0)[0]
        == 0
    )
    recipe = open_run("run").experiment.recipe
    assert (recipe["threads"], recipe["device"]) == (2, "cpu")
    file = tmp_path / "run" / "experiment.yaml"
    file.write_text(file.read_text().replace("max_concurrent: 1", "max_concurrent: 4"))
    resume("run", changes={"trials": "+1"})[0].close()
    code, _, err = nas("resume", "run", "--max-concurrent", 3)
    assert (code, "max_concurrent is 3" in err) == (2, True)
