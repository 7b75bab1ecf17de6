"""Experiments: defaults, round trip, and every message a wrong setting gets."""

import pytest

from nas.config import (
    Experiment,
    make_experiment,
    parse_constraint,
    parse_objectives,
    read_settings,
    write_experiment,
)
from nas.setting_types import parse_seconds
from nas.training.preparing import experiment_recipe
from search_spaces.errors import InvalidExperiment, NasError, UnknownName


def test_an_experiment_survives_its_own_file(tmp_path):
    experiment = make_experiment(
        {
            "objectives": "glue:max,flops:min",
            "constraints": "parameters < 2e5",
            "time": "30m",
            "tasks": "cola,rte",
            "corpus": "a,b.txt",
            "execution": {"engine": "inline", "trial_timeout": "5m"},
        }
    )
    assert experiment.time == 1800
    assert experiment.tasks == ("cola", "rte")
    assert experiment.corpus == ("a,b.txt",)
    write_experiment(experiment, tmp_path / "e.yaml")
    assert make_experiment(read_settings(tmp_path / "e.yaml")) == experiment


def test_defaults_are_an_experiment_and_frozen():
    experiment = Experiment()
    assert experiment.data == "glue-mini"
    with pytest.raises(ValueError, match="frozen"):
        experiment.trials = 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trails": 3}, r"No setting is called 'trails'\. Did you mean 'trials'\?"),
        ({"execution": {"engin": "ray"}}, r"'engin'\. Did you mean 'engine'\?"),
        ({"execution": {"engine": "slurm"}}, r"execution.engine: .*'ray' or 'inline'.*'slurm'"),
        ({"trials": 0}, r"trials: .*greater than or equal to 1 \(given: 0\)"),
        ({"seed": -1}, r"seed: .*given: -1"),
        ({"name": "a/b"}, r"name: .*given: 'a/b'"),
        ({"time": "soon"}, r"'soon' is no duration\. Write a positive number with a unit: 90s"),
        ({"time": "1.2.3s"}, r"'1.2.3s' is no duration"),
        ({"time": 10**30}, "is no duration.*at most 100 years"),
        ({"time": 10**400}, "is no duration.*at most 100 years"),
        ({"time": True}, "is no duration"),
        ({"execution": 2.5}, "execution: .*given: 2.5"),
        ({"execution": {"cpus_per_trial": "1e999"}}, r"execution.cpus_per_trial: .*finite"),
        ({"execution": {"gpus_per_trial": 10**400}}, "execution.gpus_per_trial: write auto"),
        ({"seed": 10**30}, "seed: .*less than or equal"),
        ({"name": "a" * 300}, "name: .*at most 200"),
        ({"objectives": "glue:up"}, r"direction 'up'\. Write glue:max or glue:min"),
        ({"objectives": ""}, "names no objective"),
        ({"objectives": "glue:max,glue:min"}, "or one twice"),
        ({"constraints": ["parameters is small"]}, "is no constraint. Write NAME < NUMBER"),
        ({"constraints": ["parameters < 1e"]}, "is no constraint"),
    ],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(InvalidExperiment, match=message):
        make_experiment(settings)


@pytest.mark.parametrize("settings", [{"objectives": "glu:max"}, {"constraints": ["latency < 3"]}])
def test_an_unknown_objective_is_named(settings):
    with pytest.raises(UnknownName, match="Did you mean '(glue|latency_ms)'"):
        make_experiment(settings)


def test_files_that_hold_no_experiment(tmp_path):
    with pytest.raises(InvalidExperiment, match="There is no experiment file"):
        read_settings(tmp_path / "missing.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [1")
    with pytest.raises(InvalidExperiment, match="is no valid YAML"):
        read_settings(bad)
    bad.write_text("- a\n- b\n")
    with pytest.raises(InvalidExperiment, match="holds list, not settings"):
        read_settings(bad)


@pytest.mark.parametrize(
    "recipe", [{"preset": []}, {"preset": {}}, {"open": 3}, {"tasks": [1]}, {"threads": 10**30}]
)
def test_a_recipe_of_odd_types_is_refused(recipe):
    with pytest.raises(NasError):
        experiment_recipe(make_experiment({"recipe": recipe}))


@pytest.mark.parametrize("time", [1e9, 3e9, 1e-7, "1e3", "0.5h", 10**9])
def test_every_accepted_duration_can_be_read_back(tmp_path, time):
    written = make_experiment({"time": time, "execution": {"trial_timeout": time}})
    write_experiment(written, tmp_path / "experiment.yaml")
    assert make_experiment(read_settings(tmp_path / "experiment.yaml")) == written


def test_small_parsers():
    assert [parse_seconds(v) for v in ("90s", "2h", "1d", 5, "0.5m")] == [90, 7200, 86400, 5, 30]
    assert parse_objectives("glue:max, rte:min") == {"glue": "max", "rte": "min"}
    assert parse_constraint("parameters<=1e6") == ("parameters", "<=", 1e6)
    with pytest.raises(NasError):
        parse_seconds("-3s")


def test_tasks_of_fidelities_are_one_list_for_each_below_the_whole():
    settings = {"fidelity": "asha", "fidelity_tasks": ["sst2", "sst2,rte"], "tasks": "sst2,rte"}
    assert make_experiment(settings).fidelity_tasks == (("sst2",), ("sst2", "rte"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fidelity": "asha", "fidelity_tasks": [["sst2"]]}, "has 1 lists .* has 2 fidelities"),
        ({"fidelity_tasks": [["sst2"]]}, "'full' has 0 fidelities below"),
        (
            {"fidelity": "asha", "fidelities": [0.5, 1], "fidelity_tasks": [["sst"]]},
            "No task of this experiment is called 'sst'. Did you mean 'sst2'",
        ),
        (
            {"fidelity": "asha", "fidelities": [0.5, 1], "fidelity_tasks": [["rte"]],
             "objectives": "sst2:max"},
            "has rte at fidelity 0.5, but the search needs sst2 there",
        ),
        (
            {"fidelity": "asha", "fidelities": [0.5, 1], "fidelity_tasks": [[]]},
            "has nothing at fidelity 0.5, but the search needs a task there",
        ),
    ],
)  # fmt: skip
def test_tasks_of_fidelities_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(NasError, match=message):
        make_experiment(settings)


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize(
    "settings",
    [
        lambda text: {"execution": {"storage": text}},
        lambda text: {"execution": {"address": text}},
        lambda text: {"checkpoint": text},
    ],
)
def test_a_blank_place_is_not_the_directory_one_is_in(settings, blank):
    with pytest.raises(InvalidExperiment, match=r"name a place, or leave .* \(given: "):
        make_experiment(settings(blank))
