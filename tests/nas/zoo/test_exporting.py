"""A trial's folder: every model in it answers as the trained one did, here and elsewhere."""

import json
import os
import platform
import subprocess
import sys

import pytest
import torch
import yaml
from torch.nn.functional import linear
from torch.testing import assert_close
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    pipeline,
)

import nas
from nas.evaluation.suites.glue import glue_task
from nas.models.encoder import Encoder
from nas.runs.storage import Storage
from nas.single.exporting import _compared, trial_card
from nas.single.trials import task_models_of, training_of, trial_weights
from nas.training.prediction import Scale, predict
from nas.training.task_models import task_models
from nas.zoo import read_card
from nas.zoo.card import missing_facts
from search_spaces import Architecture
from search_spaces.errors import RunError, TrialError, UnknownName

FIRST, SECOND = ["the film was good", "a song"], ["it was bad", "the song was fine"]


@pytest.fixture(scope="module")
def trained(run, trial):
    return {model.task.name: model for model in task_models_of(run, trial, ["sst2", "stsb"])}


def encoded(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer(FIRST, SECOND, padding=True, return_tensors="pt")


def logits_of(model, run, trial, batch):
    """What the trained model says, without any class of `transformers`."""
    encoder = Encoder(Architecture.from_dict(trial["architecture"]), **run.model_options).eval()
    named = model.weights.items()
    encoder.load_state_dict(
        {k.removeprefix("encoder."): v for k, v in named if k.startswith("encoder.")}
    )
    hidden = encoder(batch.input_ids, batch.attention_mask.bool(), batch.token_type_ids)
    weight, bias = (model.weights[f"classifier.output.{name}"] for name in ("weight", "bias"))
    return linear(encoder.pool(hidden), weight, bias)


def test_fine_tuning_again_gives_the_scores_of_the_search(trained, trial):
    for name, model in trained.items():
        assert model.score == trial["scores"][name]


def test_each_task_answers_as_it_was_trained(exported, trained, run, trial):
    nas.load_model(exported)
    batch = encoded(exported)
    for name, model in trained.items():
        expected = logits_of(model, run, trial, batch)
        loaded = [
            nas.load_model(exported, task=name),
            AutoModelForSequenceClassification.from_pretrained(exported, task_name=name),
            AutoModelForSequenceClassification.from_pretrained(exported / name),
        ]
        for other in loaded:
            assert_close(other(**batch).logits, expected, atol=1e-5, rtol=0)


def test_an_exported_regression_answers_in_the_units_of_its_labels(exported, run):
    _, data = training_of(run)
    split = data.tasks["stsb"]["dev"]
    model = nas.load_model(exported, task="stsb")
    assert split.labels.max() > 3  # of 5
    encoder, head = model.flexibert.encoder, model.classifier
    answers = predict(encoder, head, glue_task("stsb"), split, scale=Scale())
    assert abs(answers.mean() - split.labels.mean()) < 1.0


def test_the_folder_itself_opens_as_its_first_task_or_with_a_new_head(exported):
    nas.load_model(exported)
    batch = encoded(exported)
    open_ = AutoModelForSequenceClassification.from_pretrained
    default, first = open_(exported), open_(exported, task_name="sst2")
    assert torch.equal(default(**batch).logits, first(**batch).logits)
    assert default.config.id2label == {0: "negative", 1: "positive"}
    assert open_(exported, num_labels=5)(**batch).logits.shape == (2, 5)
    pretrained = AutoModel.from_pretrained(exported)
    own = {0: "dull", 1: "lively"}  # as many as the first task has, and other ones
    for fresh in (open_(exported, num_labels=3), open_(exported, id2label=own)):
        expected = pretrained(**batch).pooler_output
        assert torch.equal(fresh.flexibert(**batch).pooler_output, expected)
        assert fresh.config.task_names == []
    assert fresh.config.id2label == own
    new = open_(exported, task_name="")
    pretrained = AutoModel.from_pretrained(exported)
    assert torch.equal(new.flexibert(**batch).pooler_output, pretrained(**batch).pooler_output)
    with pytest.raises(ValueError, match="not fine-tuned on 'rte'. Choose task_name from sst2, st"):
        open_(exported, task_name="rte")
    with pytest.raises(UnknownName, match="No task of this model is called 'rte'"):
        nas.load_model(exported, task="rte")


def test_pipelines_without_and_with_the_project(exported, tmp_path):
    nas.load_model(exported)
    batch = encoded(exported)
    here = [
        AutoModel.from_pretrained(exported)(**batch).last_hidden_state,
        AutoModelForMaskedLM.from_pretrained(exported)(**batch).logits,
        *(nas.load_model(exported, task=name)(**batch).logits for name in ("sst2", "stsb")),
    ]
    ours = [
        pipeline("text-classification", model=str(exported))(FIRST[0]),
        pipeline("text-classification", model=str(exported / "stsb"))(FIRST[0]),
        pipeline("fill-mask", model=str(exported))("the [MASK] was good"),
    ]
    assert ours[0][0]["label"] in ("negative", "positive")
    assert ours[1][0]["label"] == "score"
    script = f"""
import json, sys, torch
for name in ("nas", "search_spaces", "surrogates"):  # as if it were not installed
    sys.modules[name] = None
from transformers import (AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification,
    AutoTokenizer, pipeline)
folder, trust = {str(exported)!r}, dict(trust_remote_code=True)
batch = AutoTokenizer.from_pretrained(folder, **trust)(
    {FIRST!r}, {SECOND!r}, padding=True, return_tensors="pt")
classifier = AutoModelForSequenceClassification.from_pretrained
outputs = [
    AutoModel.from_pretrained(folder, **trust)(**batch).last_hidden_state,
    AutoModelForMaskedLM.from_pretrained(folder, **trust)(**batch).logits,
    classifier(folder, **trust)(**batch).logits,
    classifier(folder, task_name="stsb", **trust)(**batch).logits,
]
torch.save([o.detach() for o in outputs], "out.pt")
said = [
    pipeline("text-classification", model=folder, **trust)({FIRST[0]!r}),
    pipeline("text-classification", model=folder + "/stsb", **trust)({FIRST[0]!r}),
    pipeline("fill-mask", model=folder, **trust)("the [MASK] was good"),
]
json.dump(said, open("said.json", "w"))
"""
    environment = os.environ | {
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for there, expected in zip(
        torch.load(tmp_path / "out.pt", weights_only=True), here, strict=True
    ):
        assert_close(there, expected, atol=1e-5, rtol=0)
    said = json.loads((tmp_path / "said.json").read_text())
    assert [s[0].get("label", s[0].get("token")) for s in said] == [
        o[0].get("label", o[0].get("token")) for o in ours
    ]


def test_the_card_says_everything(exported, run, trial):
    card = read_card(exported)
    assert missing_facts(card) == []
    assert card["scores"] == trial["scores"]
    assert card["exported_scores"] == {n: trial["scores"][n] for n in ("sst2", "stsb")}
    assert card["seeds"] == {"run": 0, "trial": trial["seed"]}
    assert card["data"]["name"] == "glue-mini"
    head = yaml.safe_load((exported / "README.md").read_text().split("---\n", 2)[1])
    assert head["datasets"] == ["glue-mini"]
    assert head["metrics"] == ["accuracy", "mean of pearson and spearman"]
    assert head["language"] == ["en"]
    first, second = head["model-index"][0]["results"]
    assert first["dataset"] == {
        "type": "glue-mini", "name": "glue-mini", "config": "sst2", "split": "dev"
    }  # fmt: skip
    assert first["metrics"][0]["value"] == trial["scores"]["sst2"]
    assert second["task"]["type"] == "text-classification"
    assert card["data"]["revision"].startswith("sha256:")
    assert card["costs"]["parameters"] == trial["costs"]["parameters"]
    assert card["measured_on"]["device"] == "cpu"
    assert card["run"]["trial"] == trial["trial"]
    assert card["lineage"] == [f"pre-trained from random weights, seed {trial['seed']}"]
    assert card["licence"] == "apache-2.0"
    assert trial_card(run, trial, licence="mit")["licence"] == "mit"
    text = (exported / "README.md").read_text()
    assert 'task_name="stsb"' in text
    assert text.count(f"| glue | {trial['scores']['glue']:.4g} |") == 1


def test_a_trial_that_failed_while_fine_tuning_again_leaves_nothing(
    tmp_path, run, export_run, monkeypatch
):
    def fails(*_, **__):
        raise TrialError("The loss is NaN.", cause="nan")

    monkeypatch.setattr("nas.training.task_models.TaskTraining.run", fails)
    with pytest.raises(TrialError):
        export_run(tmp_path / "half")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_gone_or_broken(run, trial, tmp_path, monkeypatch):
    number = trial["trial"]
    here = Storage(str(tmp_path))  # in place of the run's storage and of its directory
    for name in ("open_storage", "Storage"):
        monkeypatch.setattr(f"nas.single.trials.{name}", lambda *_: here)
    with pytest.raises(RunError, match=f"weights of trial {number} are gone: .* Pick another"):
        trial_weights(run, trial)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / f"{trial['hash']}.safetensors").write_bytes(b"no such thing")
    with pytest.raises(RunError, match=f"weights of trial {number} cannot be read"):
        trial_weights(run, trial)


def test_a_retried_trial_is_fine_tuned_as_its_last_attempt_was(run, trial, trained):
    (again,) = task_models_of(run, trial | {"adjusted": {"alone": True}}, ["sst2"])
    assert torch.equal(
        again.weights["classifier.output.weight"],
        trained["sst2"].weights["classifier.output.weight"],
    )
    adjusted = {"learning_rate_scale": 0.5, "micro_batches": 2}
    (slower,) = task_models_of(run, trial | {"adjusted": adjusted}, ["sst2"])
    recipe, data = training_of(run)
    (expected,) = task_models(
        Architecture.from_dict(trial["architecture"]), recipe, data, seed=trial["seed"],
        weights=trial_weights(run, trial), tasks=["sst2"], **adjusted,
    )  # fmt: skip
    for name, tensor in expected.weights.items():
        assert torch.equal(slower.weights[name], tensor)
    name = "classifier.output.weight"
    assert not torch.equal(slower.weights[name], trained["sst2"].weights[name])


def test_a_score_that_differs_is_explained(run, trial):
    here = {"device": "cpu", "node": platform.node()}
    score = trial["scores"]["sst2"]

    def said(difference=0.1, **changes):
        return _compared(run, trial | here | changes, glue_task("sst2"), score + difference)

    assert said(0.0) == "as in the search"
    assert said(device="NVIDIA H100").startswith(
        "+0.1000 to the search: trained on NVIDIA H100, fine-tuned again on cpu"
    )
    assert "another machine, elsewhere, which may round differently" in said(node="elsewhere")
    assert "are the same, so look at the run's weights" in said()
