"""From a checkpoint's folder to an exported winner, by the command line; the teacher is tiny."""

import json

import pytest
import torch
import yaml
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

import nas as api
from nas import open_run
from nas.runs.confirmations import Confirmations
from nas.single.beside import beside
from nas.zoo import check_model, read_card
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment, NasError

SEARCH = {
    "data": "glue-mini",
    "tasks": ["sst2", "stsb"],
    "trials": 3,
    "policy": "random",
    "objectives": {"glue": "max", "latency_ms": "min"},
    "execution": {"engine": "inline"},
    "recipe": {"max_train_examples": 64, "max_dev_examples": 64, "max_length": 32,
               "block_length": 32, "precision": "fp32"},
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_checkpoint):
    place = tmp_path_factory.mktemp("from")
    make_checkpoint(place / "tiny")
    (place / "plan.yaml").write_text(yaml.safe_dump({**SEARCH, "checkpoint": str(place / "tiny")}))
    return place


@pytest.fixture(scope="module")
def run(nas, place):
    nas("search", place / "plan.yaml", "--run", place / "run", "--quiet")
    return place / "run"


def test_a_search_inside_a_checkpoint(nas, run, capsys):
    trials = api.open_run(run).trials()
    assert (trials["status"] == "done").all()
    # making the teacher is a session of its own, and counts for the budget of time
    assert len(api.open_run(run).journal.sessions()) == 2
    assert trials["hash"].nunique() == 3
    stored = yaml.safe_load((run / "experiment.yaml").read_text())
    assert stored["space"]["head_width"] == 8
    assert stored["recipe"]["distillation"] == "hidden"
    nas("replay", run)
    assert "0 differences" in capsys.readouterr().out
    for command in ("status", "trials", "pareto", "report"):
        nas(command, run)
    nas("why", run, 1)
    assert "Cuts of an encoder of 3 layers" in (run / "report.html").read_text()


def test_the_winner_loads_elsewhere_and_scores_as_in_the_search(
    nas, run, place, warm_python, capsys
):
    nas("export", run, "--to", place / "model")
    assert capsys.readouterr().out.count("as in the search") == 2
    card = read_card(place / "model")
    assert card["teacher"]["name"] == "tiny"
    assert card["licence"] == "apache-2.0"
    assert set(card["teacher"]["scores"]) == {"sst2", "stsb"}
    code = (
        "import sys, torch;"
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer;"
        f"m = AutoModelForSequenceClassification.from_pretrained({str(place / 'model')!r},"
        "trust_remote_code=True, task_name='sst2').eval();"
        f"t = AutoTokenizer.from_pretrained({str(place / 'model')!r});"
        "assert 'nas' not in sys.modules;"
        "x = t(['the cat sat', 'a dog'], padding=True, return_tensors='pt');"
        "print('logits', m(**x).logits.tolist())"
    )
    found = warm_python.run("-c", code, cwd=place)
    assert found.returncode == 0, found.stderr
    model = AutoModelForSequenceClassification.from_pretrained(
        place / "model", trust_remote_code=True, task_name="sst2"
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(place / "model")
    batch = tokenizer(["the cat sat", "a dog"], padding=True, return_tensors="pt")
    with torch.no_grad():
        elsewhere = torch.tensor(json.loads(found.stdout.rpartition("logits")[2]))
        torch.testing.assert_close(model(**batch).logits, elsewhere, atol=1e-6, rtol=1e-6)
        # padding does not count for the mean
        alone = model(**tokenizer(["a dog"], return_tensors="pt")).logits
    torch.testing.assert_close(alone[0], model(**batch).logits[1], atol=1e-5, rtol=1e-5)


def test_a_run_goes_on_without_its_checkpoint(nas, run, place, capsys):
    (place / "tiny").rename(place / "moved")
    try:
        nas("resume", run, "--trials", "+1", "--quiet")
        assert "Its teacher, whole: glue" in capsys.readouterr().err
        nas("pareto", run, "--plot", place / "front.png")
        nas("replay", run)
    finally:
        (place / "moved").rename(place / "tiny")
    assert "0 differences" in capsys.readouterr().out


def test_the_front_is_confirmed_with_fresh_seeds(nas, run, capsys):
    nas("confirm", run, "--top", 1, "--seeds", 2, "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert (found["seeds"], found["failed"]) == (2, 0)
    assert found["glue_mean"] is not None


def test_finalists_learn_for_longer_beside_what_one_would_cut_by_hand(nas, place, capsys):
    few = {**SEARCH["recipe"], "finetune_epochs": 1, "max_train_examples": 32}
    plan = {**SEARCH, "tasks": ["stsb"], "recipe": few, "trials": 2, "finalists": 1}
    plan |= {"finalist_seeds": 2, "finalist_longer": 3, "checkpoint": str(place / "tiny")}
    plan["space"] = {"layers": [2, 3], "widths": [32], "shared": "everything", "heads": [4],
                     "head_width": 8, "operations": {"sa": ["sdp"]}, "feedforward_depths": [1],
                     "feedforward_widths": [16, 24, 40]}  # fmt: skip
    (place / "finalists.yaml").write_text(yaml.safe_dump(plan))
    nas("search", place / "finalists.yaml", "--run", place / "final", "--quiet")
    said = capsys.readouterr().err
    assert "Verdict on trial" in said
    assert "uniform cut of" in said
    assert "whole layers of" in said
    assert "nas confirm" not in said
    opened = open_run(place / "final")
    store = Confirmations(opened.directory, 3)
    assert {row["role"] for row in store.baselines()} == {"uniform", "layers"}
    for line in store.baselines():
        layers = Architecture.from_dict(line["architecture"]).layers
        assert len(set(layers)) == 1
        if line["role"] == "layers":
            assert (len(layers[0].heads), layers[0].feedforward) == (4, (64,))
    assert {row["status"] for row in store.trainings()} == {"done"}
    assert Confirmations(opened.directory).trainings() == []
    nas("confirm", place / "final", "--top", 1, "--seeds", 2, "--baselines", "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert found["seeds"] == 2
    nas("confirm", place / "final", "--top", 1, "--seeds", 1, "--longer", 1)
    out = capsys.readouterr().out
    assert "finetune_epochs" not in out
    assert len(Confirmations(opened.directory).trainings()) == 1
    trained = {row["hash"]: row for row in Confirmations(opened.directory).trainings()}
    for row in store.trainings():
        if row["hash"] in trained and row["number"] == 1:
            assert row["seed"] == trained[row["hash"]]["seed"]
            assert row["scores"] != trained[row["hash"]]["scores"]

    # what one would cut by hand stands on the picture and in the report
    shown = beside(opened)
    assert [one.role for one in shown][0] == "teacher"
    assert {one.role for one in shown} >= {"uniform", "layers"}
    fresh = [one for one in shown if "mean of 2 fresh seeds" in one.words]
    assert len(fresh) == 2
    assert all({"glue", "parameters", "latency_ms"} <= one.values.keys() for one in shown)
    nas("report", opened.directory)
    page = (opened.directory / "report.html").read_text()
    assert "the teacher, whole" in page
    assert all(one.words in page for one in fresh)
    # all its heads are there: transformers alone knows what it is
    nas("export", place / "final", "--to", place / "plain", "--bert")
    assert "without remote code" in capsys.readouterr().out
    model, plain = api.load_model(place / "plain", task="stsb"), place / "plain" / "plain-bert"
    theirs = AutoModel.from_pretrained(plain / "stsb").eval()
    assert type(theirs).__name__ == "BertModel"
    asked = AutoTokenizer.from_pretrained(plain / "stsb")(["the cat sat", "a"], padding=True)
    given = {name: torch.tensor(value) for name, value in asked.items()}
    keep = given["attention_mask"].bool()
    with torch.no_grad():
        expected = theirs(**given).last_hidden_state[keep]
        encoder = model.flexibert.encoder
        torch.testing.assert_close(encoder(given["input_ids"], keep)[keep], expected)
    assert not check_model(place / "plain")


def test_what_is_not_of_berts_form_is_refused_before_it_is_exported(nas, run, place):
    trials = open_run(run).journal.each_trial()
    heads = {t["hash"]: {len(layer) for layer in t["architecture"]["o"]} for t in trials}
    other = next(digest for digest, counts in heads.items() if counts != {4})
    with pytest.raises(NasError, match=r"cannot be a BertModel: its (heads|layers).*Leave --bert"):
        nas("export", run, "--pick", other, "--to", place / "refused", "--bert")
    assert not (place / "refused").exists()


def test_one_cut_is_trained_without_a_search(nas, place, capsys):
    wanted = {"l": 2, "o": [["sa_sdp_8"] * 2] * 2, "h": [32] * 2, "f": [[24]] * 2}
    (place / "cut.json").write_text(json.dumps(wanted))
    plan = {"data": "glue-mini", "tasks": ["sst2"], "recipe": SEARCH["recipe"]}
    (place / "train.yaml").write_text(yaml.safe_dump(plan))
    common = ("--experiment", place / "train.yaml", "--from", place / "tiny", "--to", place / "one")
    nas("train", place / "cut.json", *common)
    assert "The teacher reaches" in capsys.readouterr().out
    assert read_card(place / "one")["lineage"][0].startswith("cut out of tiny, layers [")
    nas("evaluate", place / "one")
    wanted["h"] = [64] * 2
    with pytest.raises(InvalidExperiment, match=r"width 64 in layer 0.*at most 3 layers 32 wide"):
        nas("train", json.dumps(wanted), *common[:4], "--to", place / "two")
    assert not list(place.glob("*two*"))


def test_a_cut_is_cut_again(nas, place, capsys):
    wanted = {"l": 2, "o": [["sa_sdp_8"] * 3, ["sa_sdp_8"] * 2], "h": [32] * 2, "f": [[24], [40]]}
    recipe = {**SEARCH["recipe"], "finetune_epochs": 1}
    plan = {"data": "glue-mini", "tasks": ["sst2"], "recipe": recipe}
    (place / "again.yaml").write_text(yaml.safe_dump(plan))
    common = ("--experiment", place / "again.yaml", "--to", place / "cut", "--quiet")
    nas("train", json.dumps(wanted), "--from", place / "tiny", *common)
    nas("space", "show", "--from", place / "cut")
    assert "heads to keep: 1, 2\n" in capsys.readouterr().out
    plan |= {"trials": 2, "policy": "random", "execution": {"engine": "inline"}}
    # how it learns is chosen with what is cut
    recipe["distillation"] = {"relations": {}, "transfer": {"schedule": ["joint", "progressive"]}}
    (place / "again.yaml").write_text(yaml.safe_dump({**plan, "checkpoint": str(place / "cut")}))
    nas("search", place / "again.yaml", "--run", place / "again", "--quiet")
    assert "Its teacher, whole: glue" in capsys.readouterr().err
    trials = list(open_run(place / "again").journal.each_trial())
    assert [trial["status"] for trial in trials] == ["done"] * 2
    chosen = [trial["architecture"]["recipe"]["distillation"] for trial in trials]
    assert {how.partition("(")[0] for how in chosen} <= {"relations", "transfer"}


def test_the_teacher_itself_is_scored(nas, place, capsys):
    few = [
        f"--recipe={key}={SEARCH['recipe'][key]}" for key in ("max_train_examples", "max_length")
    ]
    nas("evaluate", place / "tiny", "--tasks", "sst2", "--data", "glue-mini", *few)
    out = capsys.readouterr().out
    assert "fine-tuned anew" in out
    assert "majority" in out


def test_what_may_be_cut_is_shown(nas, place, capsys):
    nas("space", "show", "--from", place / "tiny")
    out = capsys.readouterr().out
    assert "heads to keep: 1, 2, 3, 4" in out
    assert "cuts of tiny: 22,764 architectures" in out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "flexibert-micro"}, "layers up to 4, and the checkpoint has 3"),
        ({"inheritance": True}, "inheritance starts a trial from another"),
        ({"checkpoint": None, "finalist_longer": 2}, "2 times the passes .* starts from nothing"),
        ({"recipe": {"selection": "train-part"}}, "selection is 'train-part', which does not go"),
        ({"recipe": {"tune_trials": 2}}, "tune_trials is 2, which does not go"),
        ({"checkpoint": None, "recipe": {"distillation": "hidden"}}, "there is no teacher"),
        (
            {"checkpoint": None, "recipe": {"distillation": {"logits": {}, "none": {}}}},
            "no teacher",
        ),
        ({"checkpoint": "nowhere"}, "There is no folder 'nowhere'"),
        ({"execution": {"trial_function": "os:getcwd", "engine": "inline"}}, "trial_function is"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_made(nas, changes, message, place):
    plan = {**SEARCH, "checkpoint": str(place / "tiny"), **changes}
    (place / "refused.yaml").write_text(yaml.safe_dump(plan))
    with pytest.raises(NasError, match=message):
        nas("search", place / "refused.yaml", "--run", place / "refused", "--quiet")
    assert not (place / "refused").exists()
