"""From files of one's own to a model that answers in one's own words, by the command line."""

import csv
import io
import json

import numpy as np
import pytest
import yaml

from nas.cli.verdict import print_test
from nas.evaluation.suites.task import Task
from nas.runs.mistakes import trial_mistakes
from nas.zoo.card import read_card
from search_spaces.errors import InvalidData, InvalidExperiment, NasError

SEARCH = {
    "trials": 2,
    "policy": "random",
    "execution": {"engine": "inline"},
    "recipe": {"pretrain_tokens": 2000, "finetune_epochs": 3, "precision": "fp32",
               "block_length": 16, "dropout": 0.0, "finetune_learning_rate": 0.003},
}  # fmt: skip
SAID = {"on the sea": "a ship sails", "in a field": "the corn grows", "at the bank": "a rate rises"}


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_checkpoint):
    place = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    topics = [list(SAID)[i] for i in rng.integers(3, size=90)]
    write(place / "topics.csv", [{"id": i, "text": f"{SAID[t]} {rng.choice(['now', 'then'])}",
                                  "label": t} for i, t in enumerate(topics)])  # fmt: skip
    likes = [
        {"first": SAID[a], "second": SAID[b], "likeness": 2.5 if a == b else 0.5 * (i % 2)}
        for i, (a, b) in enumerate(zip(topics, reversed(topics), strict=True))
    ]
    for name, rows in (("train", likes), ("dev", likes[:30]), ("test", likes[30:])):
        lines = [json.dumps(row) for row in rows]
        (place / f"{name}.jsonl").write_text("\n".join(lines))
    make_checkpoint(place / "tiny")
    (place / "plan.yaml").write_text(yaml.safe_dump(SEARCH))
    return place


@pytest.fixture(scope="module")
def run(nas, place):
    nas(
        "search", place / "plan.yaml", "--run", place / "run",
        "--task", place / "topics.csv",
        "--task", f"likeness={place / 'train.jsonl'},{place / 'dev.jsonl'},{place / 'test.jsonl'}",
    )  # fmt: skip
    return place / "run"


@pytest.fixture(scope="module")
def model(nas, run, place):
    nas("export", run, "--to", place / "model")
    return place / "model"


def test_what_a_run_on_own_tasks_has(nas, run, capsys):
    import nas as api

    opened = api.open_run(run)
    trials = opened.trials()
    assert (trials["status"] == "done").all()
    assert "glue" not in trials
    mean = trials[["topics", "likeness"]].mean(axis=1)
    assert np.allclose(trials["score"], mean)
    assert opened.objectives == {"score": "max", "parameters": "min", "latency_ms": "min"}
    stored = yaml.safe_load((run / "experiment.yaml").read_text())
    assert stored["data"] == "own"
    assert stored["recipe"]["own_tasks"] == stored["recipe"]["tasks"] == ["topics", "likeness"]
    assert stored["recipe"]["max_length"] % 8 == 0
    nas("replay", run)
    assert "0 differences" in capsys.readouterr().out
    for command in ("status", "trials", "pareto", "report", "resume"):
        nas(command, run)
    said = capsys.readouterr()
    assert "TF-IDF" in said.out + said.err


def test_the_model_answers_in_the_words_of_the_file(nas, model, place, capsys):
    asked = [{"id": 7, "text": "a ship sails now"}, {"id": 8, "text": "the corn, it grows"}]
    write(place / "asked.csv", asked)
    nas("predict", model, "--task", "topics", place / "asked.csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["id"] for row in rows] == ["7", "8"]
    assert {row["label"] for row in rows} <= set(SAID)
    assert all(0 < float(row["probability"]) <= 1 for row in rows)
    nas("predict", model, "--task", "likeness", place / "dev.jsonl", "--to", place / "out.csv")
    rows = list(csv.DictReader((place / "out.csv").open()))
    assert len(rows) == 30
    assert list(rows[0]) == ["first", "second", "likeness", "label"]
    float(rows[0]["label"])
    (place / "lines.txt").write_text("a ship sails\nthe rate\n")
    nas("predict", model, "--task", "topics", place / "lines.txt")
    assert "text,label,probability\na ship sails," in capsys.readouterr().out
    with pytest.raises(InvalidData, match="no text column 'text'"):
        nas("predict", model, "--task", "topics", place / "dev.jsonl")
    with pytest.raises(NasError, match="topics, likeness. Name one"):
        nas("predict", model, place / "asked.csv")


def test_the_model_is_a_pipeline_elsewhere_and_its_card_says_whose_it_is(nas, model, warm_python):
    code = (
        "import sys; from transformers import pipeline;"
        f"p = pipeline('text-classification', model={str(model)!r}, trust_remote_code=True);"
        "assert 'nas' not in sys.modules; print(p('a ship sails')[0]['label'])"
    )
    answer = warm_python.run("-c", code)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() in SAID
    card = (model / "README.md").read_text().split("---\n")[1]
    head = yaml.safe_load(card)
    assert head["language"] == ["en"]
    assert head["metrics"] == ["accuracy", "macro_f1", "pearson", "spearman"]
    results = head["model-index"][0]["results"]
    places = [(r["dataset"]["name"], r["dataset"]["split"]) for r in results]
    assert places == [("topics", "dev"), ("likeness", "dev"), ("likeness", "test")]
    assert results[1]["metrics"][0]["type"] == results[2]["metrics"][0]["type"] == "pearson"
    assert read_card(model)["data"]["files"]["likeness"]["dev"].endswith("dev.jsonl")
    config = json.loads((model / "topics" / "config.json").read_text())
    assert set(config["label2id"]) == set(SAID)
    assert config["problem_type"] == "single_label_classification"
    row = Task.from_dict(json.loads((model / "likeness" / "task.json").read_text()))
    assert row.kind == "number"
    nas("zoo", "check", model)


def test_the_test_part_is_scored_once_and_chooses_nothing(nas, run, model, place, capsys):
    import nas as api

    opened = api.open_run(run)
    best = opened.pick("best")
    found = json.loads((run / "test.json").read_text())
    assert list(found) == [str(best["trial"])]
    assert list(found[str(best["trial"])]) == ["likeness"]
    # the record of the search has not seen it
    assert not [name for name in opened.trials().columns if "test" in name]
    files = ",".join(str(place / f"{name}.jsonl") for name in ("train", "dev", "test"))
    nas("evaluate", model, "--quiet", "--task", f"likeness={files}")
    said = capsys.readouterr().out
    value = found[str(best["trial"])]["likeness"]["pearson"]
    assert f"likeness, test: pearson {value:.3f}" in said
    assert read_card(model)["test_scores"]["likeness"]["pearson"] == pytest.approx(value)
    # asking again trains nothing: what is noted is said, and another encoder would be counted
    (run / "test.json").write_text(
        json.dumps({"99": {}, str(best["trial"]): {"likeness": {"pearson": 0.25}}})
    )
    print_test(opened)
    said = capsys.readouterr().out
    assert "likeness, test (nothing was chosen by it): pearson 0.250" in said
    assert "2 encoders of this run" in said
    (run / "test.json").write_text("[]")
    print_test(opened)
    assert "holds no scores. Remove it" in capsys.readouterr().out
    (run / "test.json").write_text(json.dumps(found))


def test_scoring_a_model_on_files(nas, model, place, capsys):
    nas("evaluate", model, "--task", f"topics={place / 'topics.csv'}", "--quiet")
    assert "topics: accuracy" in capsys.readouterr().out
    whole = ("evaluate", model, "--task", f"topics={place / 'topics.csv'}")
    nas(*whole, "--quiet", "--per-class", "--wrong", place / "wrong.csv")
    said = capsys.readouterr().out
    assert "precision  recall      f1  support" in said
    assert "Highest loss:\n  row " in said
    nas(*whole, "--json")
    found = json.loads(capsys.readouterr().out)["tasks"]["topics"]
    # the slow way: what predict answers, counted here
    nas("predict", model, "--task", "topics", place / "topics.csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    wrong = [i for i, r in enumerate(rows, 1) if r["label"] != r["predicted_label"]]
    assert found["wrong"] == len(wrong)
    listed = list(csv.DictReader((place / "wrong.csv").open()))
    assert [int(row["row"]) for row in listed] == wrong
    for right, name in enumerate(found["classes"]):
        mine = [r for r in rows if r["label"] == name]
        hits = sum(r["predicted_label"] == name for r in mine)
        claimed = sum(r["predicted_label"] == name for r in rows)
        figures = found["classes"][name]
        assert figures["support"] == len(mine) == sum(found["confusion"][right])
        assert found["confusion"][right][right] == hits
        assert figures["recall"] == pytest.approx(hits / len(mine))
        assert figures["precision"] == pytest.approx(hits / claimed if claimed else 0)
    assert [row["loss"] for row in found["worst"]] == sorted(
        (row["loss"] for row in found["worst"]), reverse=True
    )
    nas("evaluate", model, "--task", f"likeness={place / 'dev.jsonl'}", "--json")
    numbers = json.loads(capsys.readouterr().out)["tasks"]["likeness"]
    assert (numbers["classes"], numbers["wrong"], len(numbers["worst"])) == ({}, 0, 10)
    with pytest.raises(NasError, match="leave --finetune out"):
        nas(*whole, "--finetune", "--per-class", "--quiet")
    with pytest.raises(InvalidData, match="split off. Give a file"):
        nas("evaluate", model)
    nas("evaluate", model, "--finetune", "--task", place / "topics.csv", "--quiet",
        "--recipe", "finetune_epochs=1")  # fmt: skip
    assert "topics" in capsys.readouterr().out


def test_a_report_says_where_the_best_one_is_wrong(nas, run, model, place, capsys):
    import nas as api

    nas("report", run)
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["Report", "topics", "likeness"]
    best = api.open_run(run).pick("best")
    found = trial_mistakes(run, best["hash"])
    # the figures are those of the scores
    topics = found["topics"]["dev"]
    accuracy = 1 - topics.wrong / topics.examples
    assert np.mean([accuracy, np.mean([of.f1 for of in topics.figures])]) == pytest.approx(
        best["topics"]
    )
    assert sorted(topics.names) == sorted(SAID)
    assert {row.text.rsplit(" ", 1)[0] for row in topics.worst} <= set(SAID.values())
    # the exported model errs alike, by another way
    nas("evaluate", model, "--task", f"likeness={place / 'dev.jsonl'}", "--json")
    worst = json.loads(capsys.readouterr().out)["tasks"]["likeness"]["worst"]
    mine = found["likeness"]["dev"].worst
    assert [row.value**2 for row in mine] == pytest.approx([row["loss"] for row in worst], rel=1e-3)
    assert {row.text for row in mine} == {row["text"] for row in worst}


def test_cuts_of_a_checkpoint_learn_an_own_task(nas, place, capsys):
    nas("search", place / "plan.yaml", "--from", place / "tiny", "--run", place / "cuts",
        "--task", place / "topics.csv")  # fmt: skip
    said = capsys.readouterr()
    assert "The teacher reaches" in said.out
    assert "Its teacher, whole: score" in said.out + said.err
    nas("export", place / "cuts", "--to", place / "cut")
    assert "as in the search" in capsys.readouterr().out
    nas("predict", place / "cut", place / "asked.csv")
    assert capsys.readouterr().out.startswith("id,text,label,probability\n")


def test_one_architecture_on_an_own_task(nas, run, place, capsys):
    import nas as api

    found = json.dumps(api.open_run(run).trials()["architecture"][0])
    brief = ("--tokens", 1000, "--recipe", "finetune_epochs=1", "--recipe", "precision=fp32")
    nas("train", found, "--task", place / "topics.csv", "--to", place / "one", "--quiet", *brief)
    assert "TF-IDF" in capsys.readouterr().out


def test_what_an_experiment_refuses(nas, place):
    topics = str(place / "topics.csv")
    for given, message in (
        (("--task", topics, "--data", "glue-mini"), "no task of it is named"),
        (("--task", topics, "--task", topics), "Two tasks are called 'topics'"),
        (("--task", topics, "--objective", "glue:max"), "'glue'.*Available: .*score"),
        (("--task", topics, "--task", f"b={topics}", "--label", "x"), "columns of one --task"),
        (("--task", topics, "--label", "lable"), "Did you mean 'label'"),
        (("--task", "missing.csv"), "does not exist"),
    ):
        with pytest.raises((InvalidExperiment, NasError), match=message):
            nas("search", place / "plan.yaml", "--run", place / "none", *given)
        assert not (place / "none").exists()
