"""`nas ensemble` on a small real run: members as recorded, gains and costs, bad input."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import nas as package
from nas.cli.main import cli
from nas.config import make_experiment
from nas.ensembles import ENSEMBLES, scoring
from nas.ensembles.members import Member, hear, members_of
from nas.evaluation.cost import Latency
from nas.runs.directory import create_run
from nas.single.trials import training_of
from search_spaces.errors import InvalidExperiment, RunError

OLD_RUN = Path(__file__).parents[2] / "golden" / "old_run"
TRIPLES = "IsA\tfilm\tart\nIsA\tsong\tart\nHasProperty\tfilm\tgood\nHasProperty\tsong\tbad\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("ensembles")
    shutil.copytree(OLD_RUN, place / "run")
    shutil.copy(OLD_RUN.parent / "tiny.yaml", place)
    (place / "triples.txt").write_text(TRIPLES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(scoring, "measure_latency", lambda *a, **k: Latency(2.0, 2.0, 0.0, 1))
        patch.setattr(scoring, "RESAMPLES", 40)
        yield place


def call(*arguments):
    answer = CliRunner().invoke(cli, ["ensemble", "run", *map(str, arguments)])
    assert answer.exception is None, answer.exception
    return answer.output


@pytest.fixture(scope="module")
def found(place):
    """Everything about two members and all kinds, with knowledge of a few words."""
    return json.loads(call("--members", 2, "--kind", "all", "--vectors", "triples.txt", "--json"))


@pytest.fixture(scope="module")
def record(place):
    return {r["trial"]: r for r in package.open_run("run").journal.trials()}


def test_members_are_the_best_and_score_what_the_search_wrote_down(found, record):
    assert [line["name"] for line in found["members"]] == ["trial 8", "trial 10"]
    for line in found["members"]:
        known = record[int(line["name"].split()[1])]["scores"]
        assert line["scores"]["sst2"] == known["sst2"]
        # where training rounded numbers to half precision, ties are told apart here
        assert line["scores"]["stsb"] == pytest.approx(known["stsb"], abs=0.02)
        assert line["mean"] == pytest.approx(sum(line["scores"].values()) / 2)
        assert line["parameters"] == record[int(line["name"].split()[1])]["costs"]["parameters"]
        assert line["latency_ms"] == 2.0
    assert found["best"] == "trial 8"
    assert found["metric"] == "glue"


def test_ensembles_have_a_gain_with_an_interval_and_their_cost(found):
    assert [line["name"] for line in found["ensembles"]] == list(ENSEMBLES)
    best = found["members"][0]
    for line in found["ensembles"]:
        assert line["gain"] == pytest.approx(line["mean"] - best["mean"])
        assert line["interval"][0] <= line["interval"][1]
        for task, (gain, low, high) in line["task_gains"].items():
            assert gain == pytest.approx(line["scores"][task] - best["scores"][task])
            assert low <= high
            assert -1 <= line["kappa"][task] <= 1
        assert line["latency_ms"] > 4.0  # both, one after the other, and combining them
        assert line["parameters"] == sum(one["parameters"] for one in found["members"])
        for shares in line["shares"].values():
            assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert found["examples"] == {"sst2": 60, "stsb": 60}
    assert found["known"] >= 2


def test_an_exported_member_is_the_trial_that_it_came_from(place, found):
    answer = CliRunner().invoke(cli, ["export", "run", "--pick", "8", "--to", "zoo/eight"])
    assert answer.exit_code == 0, answer.output
    text = call("--members", "zoo/eight,10", "--kind", "weighted", "--json")
    again = json.loads(text)
    assert again["members"][0]["name"] == "zoo/eight"
    assert again["members"][1] == found["members"][1]
    for task, value in found["members"][0]["scores"].items():
        assert again["members"][0]["scores"][task] == pytest.approx(value, abs=1e-4)
    weighted = next(line for line in found["ensembles"] if line["name"] == "weighted")
    assert again["ensembles"][0]["scores"]["sst2"] == weighted["scores"]["sst2"]
    alone = call("--members", "zoo/eight,10", "--tasks", "sst2")
    assert "zoo/eight: read" in alone
    assert "trial 10: fine-tuned again" in alone
    header = next(line for line in alone.splitlines() if "latency_ms" in line)
    assert header.split() == ["sst2", "kappa", "latency_ms", "parameters", "gain", "95", "%",
                              "interval"]  # fmt: skip
    assert "Shares in weighted: zoo/eight 0." in alone
    assert "cross-fitted on the 60 development examples" in alone
    assert "weighted takes 2.0 times as long as" in alone


def test_a_member_alone_says_what_the_pooled_vector_tells(place):
    run = package.open_run("run")
    (member,) = members_of(run, "8,10")[:1]
    data = training_of(run)[1]
    found, encoder = hear(member, run, data, data.rows(["stsb"]))
    said, vectors = found["stsb"]
    assert said.shape == (60, 1)
    assert vectors.shape == (60, encoder.width)
    assert 0 < said.mean() < 5  # in the units of the labels


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--members", "1"), "an ensemble has at least two members"),
        (("--members", "8,8"), "trial 8, trial 8"),
        (("--members", ""), "nobody"),
        (("--members", "best,77"), "'77' names 0 trials"),
        (("--members", "8,3"), "Trial 3"),
        (("--members", "9999"), "--members asks for 9999. Give --members 2."),
        (("--kind", "weighed"), "No kind of ensemble is called 'weighed'. Did you mean 'weighted'"),
        (("--tasks", "cola"), "No task of this run is called 'cola'"),
        (("--vectors", "triples.txt"), "for the kind bandit"),
        (("--members", 2, "--kind", "bandit", "--vectors", "none.txt"), "No such file"),
        (("--members", 2, "--kind", "bandit", "--vectors", "run/run.db"), "no text in UTF-8"),
    ],
)
def test_bad_input_is_one_message_before_anything_is_trained(nas, place, monkeypatch, given, words):
    monkeypatch.setattr(Member, "models", None)
    code, out, err = nas("ensemble", place / "run", *(
        place / word if str(word).endswith((".txt", ".db")) else word for word in given
    ))  # fmt: skip
    assert (code, out) == (2, "")
    assert words in err


def test_a_run_without_models_and_a_folder_of_another_run_are_refused(nas, searched, place):
    code, _, err = nas("ensemble", "nowhere")
    assert code == 2
    execution = {"engine": "inline", "trial_function": "mine:trial"}
    experiment = make_experiment({"execution": execution})
    run = create_run(place / "other", experiment, experiment.objectives)
    with pytest.raises(RunError, match="function of its own"):
        scoring.score_ensembles(run, [], ["weighted"])
    run.close()
    code, _, err = nas("ensemble", searched(), "--members", "2")
    assert code == 2
    assert err.count("Error: ") == 1


def test_tasks_of_other_kinds_are_refused_with_what_is_left():
    class Other:
        name, kind = "topics", "labels"

    class Plain:
        name, kind = "sst2", "classes"

    with pytest.raises(InvalidExperiment, match="topics is of the kind labels.*--tasks sst2"):
        scoring._require_kinds([Plain(), Other()])
    with pytest.raises(InvalidExperiment, match="This run has none of them"):
        scoring._require_kinds([Other()])
